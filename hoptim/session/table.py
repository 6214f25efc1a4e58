"""A table of trials: arrays that are written row by row, of which populations are copies."""

from __future__ import annotations

import copy
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim.optimizers.population import Population, Row

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


class Table:
    """Trials by row; a row may be empty, and may be overwritten.

    Args:
        d: Number of hyperparameters.
        room: Rows to begin with, at least 1; doubled when one beyond them is written.
    """

    def __init__(self, d: int, room: int) -> None:
        kinds: list[Any] = [*4 * [np.int64], (float, (d,)), float, np.int64, np.int64]  # a Row's but memo
        self._columns = [np.zeros(room, dtype=kind) for kind in kinds]
        self._memo: list[Any] = [None] * room
        self._there = np.zeros(room, dtype=bool)
        self._end = 0
        self._population: Population | None = None  # as last given out, before the rows below
        self._new: dict[int, Row | None] = {}

    def put(self, row: int, trial: Row | None) -> None:
        """Write a trial into a row, or empty it; the arrays are changed once somebody wants them."""
        self._new[row] = trial

    def _write(self, row: int, trial: Row) -> None:
        while row >= len(self._there):
            self._there, *self._columns = map(_doubled, (self._there, *self._columns))
            self._memo += [None] * len(self._memo)
        *values, self._memo[row], parent, span = trial
        for column, value in zip(self._columns, (*values, parent, span), strict=True):
            column[row] = value
        self._there[row] = True
        self._end = max(self._end, row + 1)

    def population(self) -> Population:
        """Return the trials in the order of their rows, in arrays that later writes leave alone."""
        before = self._population
        if before is not None and not self._new:
            return before
        for row, trial in self._new.items():
            if trial is not None:
                self._write(row, trial)
            elif row < self._end:
                self._there[row] = False
        there, memo = self._there[: self._end], self._memo[: self._end]
        full = bool(there.all())
        if not full:
            memo = list(compress(memo, there.tolist()))
        parts = [c[: self._end].copy() if full else c[: self._end][there] for c in self._columns]
        number, member, step, age, x, loss, parent, span = parts
        made = Population(number, member, step, age, x, loss, memo, parent, span)
        if full and before is not None and len(before) == len(made):
            made.derive_from(before, self._new)
        self._population, self._new = made, {}
        return made

    def copy(self) -> Table:
        """Return a table with the same trials, written apart from this one."""
        made = copy.copy(self)
        made._columns = [column.copy() for column in self._columns]
        made._there, made._memo = self._there.copy(), self._memo.copy()
        made._new = self._new.copy()
        return made


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])
