"""History: all finished trials as arrays, gathered once each."""

from __future__ import annotations

from hoptim.optimizers.population import Population
from hoptim.session.news import News, row_if_seen
from hoptim.session.table import Table
from hoptim.store.state import State

_ROOM = 64  # trials, to begin with


class History:
    """The finished trials with a value, in the order of their numbers; only new ones are looked at.

    Args:
        d: Number of hyperparameters.
    """

    def __init__(self, d: int) -> None:
        self._d, self._news = d, News()
        self._table = Table(d, _ROOM)

    def __call__(self, state: State) -> Population:
        """Return all that have ended, in arrays that later calls leave alone."""
        if self._news.is_other(state):
            self._table = Table(self._d, _ROOM)
        for trial in self._news.ended(state):
            self._table.put(trial.number, row_if_seen(trial, state))
        return self._table.population()
