"""The trials that one decision compares, as arrays, and the ranking that all optimizers share."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_PART = 16  # a ranking is derived while at most this part of the rows changed, else sorting is as quick


class Row(NamedTuple):
    """One trial, with the fields of `hoptim.Population`; parent -1 means fresh weights."""

    number: int
    member: int
    step: int
    age: int
    x: Sequence[float]
    loss: float
    memo: Any = None
    parent: int = -1
    span: int = 1


@dataclass(frozen=True, eq=False)
class Population:
    """Trials as arrays; row i of every array is one trial.

    Attributes:
        number: Trial numbers `(n,)`, in the order in which they were proposed.
        member: Members `(n,)`.
        step: Steps `(n,)`, counted by each member from 0.
        age: Intervals `(n,)` that the weights had been trained before this trial.
        x: Internal coordinates `(n, d)`.
        loss: Losses `(n,)`; lower is better in either mode of a study, NaN while running.
        memo: Memos (n) from the proposals, plain JSON; None if a proposal had none.
        parent: Numbers `(n,)` of the trials whose weights were continued; -1 for fresh weights. Trials that
            were trained and not valued are skipped: it is the last one with a value.
        span: Intervals `(n,)` trained since the parent: 1, and one more for each that was not valued.
    """

    number: Ints
    member: Ints
    step: Ints
    age: Ints
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    memo: Sequence[Any]
    parent: Ints
    span: Ints

    @staticmethod
    def empty(d: int = 0) -> Population:
        """Return a population of no trials with d hyperparameters."""
        none = np.empty(0, dtype=np.int64)
        x, loss = np.empty((0, d)), np.empty(0)
        return Population(none, none, none, none, x, loss, memo=(), parent=none, span=none)

    @staticmethod
    def of(rows: Sequence[Row], d: int = 0) -> Population:
        """Return trials as arrays.

        Args:
            rows: Trials, in the order of their rows.
            d: Number of hyperparameters where there is no trial to tell it. Default: 0.
        """
        if not rows:
            return Population.empty(d)
        *counts, x, loss, memo, parents, spans = zip(*rows, strict=True)
        number, member, step, age, parent, span = np.array([*counts, parents, spans], dtype=np.int64)
        return Population(
            number, member, step, age, np.array(x, float), np.array(loss, float), memo, parent, span
        )

    def __len__(self) -> int:
        return len(self.number)

    def rows(self) -> list[Row]:
        """Return the trials one by one; the inverse of `of`."""
        columns = (self.number, self.member, self.step, self.age, self.x, self.loss)
        lists = (column.tolist() for column in columns)
        more = self.memo, self.parent.tolist(), self.span.tolist()
        return [Row(*row) for row in zip(*lists, *more, strict=True)]

    def __post_init__(self) -> None:
        counts = (self.number, self.member, self.step, self.age, self.parent, self.span)
        for array in (*counts, self.x, self.loss):
            array.setflags(write=False)

    @cached_property
    def healthy(self) -> NDArray[np.bool_]:
        """Return the mask `(n,)` of finite losses. Only healthy trials donate or are opponents."""
        return np.isfinite(self.loss)

    @cached_property
    def ranking(self) -> Ints:
        """Return the rows `(h,)` of healthy trials from best to worst; ties rank the lower number first."""
        order = np.lexsort((self.number, np.where(self.healthy, self.loss, np.inf)))
        return order[self.healthy[order]]

    def precedes(self, row: int, other: int) -> bool:
        """Tell whether a healthy row ranks before another one, or is the same."""
        return self._key(row) <= self._key(other)

    def _key(self, row: int) -> tuple[float, int]:
        return self.loss.item(row), self.number.item(row)

    def derive_from(self, before: Population, rows: Collection[int]) -> None:
        """Take over what stays the same, where it is known: rows of members, and most of the ranking.

        A ranking with a few rows that moved is a copy and a binary search for each of them, not a sort.

        Args:
            before: Population of the same members in the same rows.
            rows: Rows that are not the same trials.
        """
        known = vars(before)
        if "_rows" in known:
            vars(self)["_rows"] = before._rows
        if "ranking" in known and len(rows) * _PART <= len(self):
            vars(self)["ranking"] = self._moved(before, rows)

    def _moved(self, before: Population, rows: Collection[int]) -> Ints:
        ranking = before.ranking
        for row in rows:
            if before.healthy[row]:
                at = bisect_left(ranking, before._key(row), key=before._key)
                ranking = np.concatenate((ranking[:at], ranking[at + 1 :]))
        for row in rows:
            if self.healthy[row]:
                at = bisect_left(ranking, self._key(row), key=self._key)
                ranking = np.concatenate((ranking[:at], [row], ranking[at:]))
        return ranking

    def row(self, member: int) -> int | None:
        """Return the row of a member's trial; None if it has none in this population."""
        return self._rows.get(member)

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {member: row for row, member in enumerate(self.member.tolist())}

    def reached(self, step: int) -> int:
        """Count the members that have finished a step."""
        if step not in self._reached:
            self._reached[step] = int(np.count_nonzero(self.step >= step))
        return self._reached[step]

    @cached_property
    def _reached(self) -> dict[int, int]:
        return {}

    def best(self, fraction: float, at_least: int = 1) -> Ints:
        """Return the rows `(k,)` of the best k healthy trials, best first; empty if none is healthy.

        Args:
            fraction: Share of the h healthy trials, at most 1/2; k = floor(fraction * h + 1/2).
            at_least: Lower bound on k, so that there is always a donor. Default: 1.
        """
        k = max(at_least, math.floor(fraction * len(self.ranking) + 0.5))
        return self.ranking[:k]
