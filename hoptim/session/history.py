"""History: all finished trials as arrays, gathered once each."""

from __future__ import annotations

from itertools import compress, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim.optimizers.population import Population
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

_ROOM = 64  # trials, to begin with


class History:
    """The finished trials of a state in the order of their numbers; only new ones are looked at.

    Args:
        d: Number of hyperparameters.
    """

    def __init__(self, d: int) -> None:
        self._state: State | None = None
        self._seen = 0
        self._ended = np.zeros(0, dtype=bool)
        self._counts = np.zeros((0, 4), dtype=np.int64)
        self._x, self._loss = np.zeros((0, d)), np.zeros(0)
        self._memo: list[Any] = []

    def __call__(self, state: State) -> Population:
        """Return all that have ended, in new arrays that later calls leave alone."""
        if state is not self._state:  # a journal that was read anew may tell another story
            self._state, self._seen, self._ended = state, 0, np.zeros_like(self._ended)
        for record in islice(state.finished.values(), self._seen, None):
            self._add(record, state.sign)
        self._seen = len(state.finished)
        ended = self._ended[: state.count]
        number = np.flatnonzero(ended)
        member, step, age, parent = self._counts[number].T.copy()
        memo = tuple(compress(self._memo, ended.tolist()))
        loss = self._loss[number]
        if state.gone:
            loss[np.isin(number, list(state.gone))] = np.nan
        return Population(number, member, step, age, self._x[number], loss, memo, parent)

    def _add(self, record: TrialRecord, sign: int) -> None:
        row = record.number
        if row >= len(self._ended):
            self._grow(max(_ROOM, 2 * row))
        parent = -1 if record.parent is None else record.parent
        self._counts[row] = record.member, record.step, record.age, parent
        self._x[row], self._loss[row], self._memo[row] = record.x, sign * record.value, record.memo
        self._ended[row] = True

    def _grow(self, room: int) -> None:
        more = room - len(self._ended)
        self._ended, self._counts, self._x, self._loss = (
            _longer(array, more) for array in (self._ended, self._counts, self._x, self._loss)
        )
        self._memo += [None] * more


def _longer(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)])
