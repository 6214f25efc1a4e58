"""Levels: the populations that the asks of each step compare, kept up to date row by row."""

from __future__ import annotations

from hoptim.optimizers.population import Population
from hoptim.session.news import News, row_if_seen
from hoptim.session.table import Table
from hoptim.store.state import State


class Levels:
    """By step, each member's finished trial with the largest step at most that, if it has a value.

    A trial that ended is written into its member's row of each level that it belongs to, so that an ask
    costs no look at members whose row is the same as before.

    Args:
        d: Number of hyperparameters.
    """

    def __init__(self, d: int) -> None:
        self._d, self._news = d, News()
        self._tables: dict[int, Table] = {}
        self._top = -1  # the largest step that was finished

    def __call__(self, state: State, step: int) -> Population:
        """Return the trials that an ask after a step compares, by member.

        Args:
            state: State of the study.
            step: Step that the asking member has finished, -1 for none.
        """
        self._follow(state)
        if step not in self._tables:
            self._tables[step] = table = Table(self._d, state.size)
            for trial in state.level(step):
                table.put(trial.member, row_if_seen(trial, state))
        return self._tables[step].population()

    def _follow(self, state: State) -> None:
        if self._news.is_other(state):
            self._news.skip(state)
            self._tables, self._top = {}, max(map(len, state.members)) - 1
            return
        for trial in self._news.ended(state):
            if trial.step > self._top:
                self._begin(trial.step, state)
            row = row_if_seen(trial, state)
            for step, table in self._tables.items():
                if trial.step <= step:
                    table.put(trial.member, row)

    def _begin(self, step: int, state: State) -> None:
        """Begin the level of a step that nobody had finished: it differs in no row from the one below."""
        below = self._tables.get(step - 1)
        self._top = step
        self._tables = {at: table for at, table in self._tables.items() if at >= state.slowest - 1}
        if below is not None:
            self._tables[step] = below.copy()
