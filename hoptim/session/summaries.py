"""Summaries: what optimizers keep of all trials, fed with those that are new."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from hoptim.optimizers.summary import Summary
from hoptim.session.news import News, proceeds, row_of
from hoptim.store.state import State


class Summaries:
    """The summaries that an optimizer asks for, each made once and kept up to date from ask to ask."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Followed] = {}

    def __call__(self, state: State, kind: Callable[..., Any], *settings: Hashable) -> Any:
        """Return `kind(*settings)` with all trials of a state."""
        key = kind, settings
        if key not in self._kept:
            self._kept[key] = _Followed(kind, settings)
        return self._kept[key].after(state)


class _Followed:
    """One summary, and which trials it was given."""

    def __init__(self, kind: Callable[..., Summary], settings: tuple[Hashable, ...]) -> None:
        self._kind, self._settings = kind, settings
        self._news, self._begun = News(), 0
        self._summary = kind(*settings)

    def after(self, state: State) -> Summary:
        """Return the summary after all trials of a state."""
        if self._news.is_other(state):
            self._summary, self._begun = self._kind(*self._settings), 0
        for trial in self._news.ended(state):
            row = row_of(trial, state)
            if trial.number >= self._begun and trial.span == 1:  # else one that goes on was begun
                self._summary.begun(row)
            if not proceeds(trial, state):
                self._summary.ended(row)
        for number in range(self._begun, state.count):
            running = state.open.numbered(number)
            if running is not None and running.span == 1:
                self._summary.begun(row_of(running, state))
        self._begun = state.count
        return self._summary
