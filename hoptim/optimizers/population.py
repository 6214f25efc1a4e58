"""The trials that one decision compares, as arrays, and the ranking that all optimizers share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


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
        parent: Numbers `(n,)` of the trials whose weights were continued; -1 for fresh weights.
    """

    number: Ints
    member: Ints
    step: Ints
    age: Ints
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    memo: Sequence[Any]
    parent: Ints

    @staticmethod
    def empty(d: int = 0) -> Population:
        """Return a population of no trials with d hyperparameters."""
        none = np.empty(0, dtype=np.int64)
        x, loss = np.empty((0, d)), np.empty(0)
        return Population(none, none, none, none, x, loss, memo=(), parent=none)

    def __len__(self) -> int:
        return len(self.number)

    def __post_init__(self) -> None:
        counts = (self.number, self.member, self.step, self.age, self.parent)
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

    def row(self, member: int) -> int | None:
        """Return the row of a member's trial; None if it has none in this population."""
        return self._rows.get(member)

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {member: row for row, member in enumerate(self.member.tolist())}

    def reached(self, step: int) -> int:
        """Count the members that have finished a step."""
        return len(self) - bisect_left(self._steps, step)

    @cached_property
    def _steps(self) -> list[int]:
        return sorted(self.step.tolist())

    def best(self, fraction: float, at_least: int = 1) -> Ints:
        """Return the rows `(k,)` of the best k healthy trials, best first; empty if none is healthy.

        Args:
            fraction: Share of the h healthy trials, at most 1/2; k = floor(fraction * h + 1/2).
            at_least: Lower bound on k, so that there is always a donor. Default: 1.
        """
        k = max(at_least, int(np.floor(fraction * len(self.ranking) + 0.5)))
        return self.ranking[:k]
