"""Callbacks: a user's objects that are told what happens in this process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hoptim._text import shown
from hoptim.errors import ArgumentError

if TYPE_CHECKING:
    from hoptim.analysis.family import Exploit
    from hoptim.trial import FinishedTrial, Trial

log = logging.getLogger("hoptim")

_EVENTS = ("asked", "told", "exploited", "failed", "done")


class Callbacks:
    """Calls each object that has a method for an event.

    One that raises is logged and no more: what happened has happened, and the run goes on.

    Args:
        objects: Objects with any of the methods `asked`, `told`, `exploited`, `failed` and `done`.

    Raises:
        ArgumentError: No list, or an object that could never be called.
    """

    def __init__(self, objects: Any) -> None:
        if not isinstance(objects, Sequence) or isinstance(objects, (str, bytes)):
            raise ArgumentError(f"callbacks must be a list of objects, found {shown(objects)}.")
        for each in objects:
            if not any(callable(getattr(each, event, None)) for event in _EVENTS):
                raise ArgumentError(
                    f"A callback must have at least one of the methods {', '.join(_EVENTS)}, "
                    f"found {shown(each)}."
                )
        self._objects = tuple(objects)

    def __bool__(self) -> bool:
        return bool(self._objects)

    def asked(self, trial: Trial, exploit: Exploit | None) -> None:
        """Announce a trial that goes to the user, and the exploit that it begins with."""
        self._call("asked", trial)
        if exploit is not None:
            self._call("exploited", exploit)

    def told(self, finished: FinishedTrial) -> None:
        """Announce a trial that was told."""
        self._call("told", finished)

    def failed(self, trial: Trial, why: str) -> None:
        """Announce a failed attempt."""
        self._call("failed", trial, why)

    def done(self, study: object) -> None:
        """Announce that every member has done its steps."""
        self._call("done", study)

    def _call(self, event: str, *what: Any) -> None:
        for each in self._objects:
            method = getattr(each, event, None)
            if method is not None:
                try:
                    method(*what)
                except Exception:
                    log.exception("The callback %s raised in %s; the study goes on.", shown(each), event)
