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
    """Trials side by side; row i of every array is one trial.

    Attributes:
        number: Trial numbers `(n,)`, in the order in which they were proposed.
        member: Members `(n,)`.
        step: Steps `(n,)`, counted by each member from 0.
        age: Intervals `(n,)` that the weights have been trained before this trial.
        x: Internal coordinates `(n, d)`.
        loss: Losses `(n,)`, lower is better whatever the study's mode; NaN while running.
        memo: What the optimizer wrote when it proposed each trial, plain JSON.
        parent: Numbers `(n,)` of the trials whose weights they continued from; -1 for fresh ones.
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
        """No trials of d hyperparameters."""
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
        """Mask `(n,)` of finite losses. Only healthy trials donate or are opponents."""
        return np.isfinite(self.loss)

    @cached_property
    def ranking(self) -> Ints:
        """Rows of healthy trials `(h,)` from best to worst; ties rank the lower number first."""
        order = np.lexsort((self.number, np.where(self.healthy, self.loss, np.inf)))
        return order[self.healthy[order]]

    def row(self, member: int) -> int | None:
        """The row of a member's trial, None when it has none here."""
        return self._rows.get(member)

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {member: row for row, member in enumerate(self.member.tolist())}

    def reached(self, step: int) -> int:
        """How many members have finished a step."""
        return len(self) - bisect_left(self._steps, step)

    @cached_property
    def _steps(self) -> list[int]:
        return sorted(self.step.tolist())

    def best(self, fraction: float, at_least: int = 1) -> Ints:
        """Rows `(k,)` of the best k healthy trials, best first; empty when nobody is healthy.

        Args:
            fraction: k = floor(fraction * h + 1/2) of h healthy trials, at most 1/2.
            at_least: Lower bound on k, so that somebody always donates.
        """
        return self.ranking[: self.count(fraction, at_least)]

    def count(self, fraction: float, at_least: int = 1) -> int:
        """How many of the healthy trials a fraction is: `max(at_least, floor(f * h + 1/2))`."""
        return max(at_least, int(np.floor(fraction * len(self.ranking) + 0.5)))
