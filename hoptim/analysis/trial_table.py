"""The finished trials of a study as arrays; nothing here draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hoptim._arguments import sign_of
from hoptim.analysis.family import Family
from hoptim.analysis.lineage import Lineage
from hoptim.analysis.ranking import best, latest
from hoptim.trial import FinishedTrial

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Viewed(Protocol):
    """Finished trials at one moment, as `hoptim.Results` has them."""

    @property
    def trials(self) -> Sequence[FinishedTrial]:
        """Return all of them in the order of their numbers."""

    @property
    def mode(self) -> str:
        """Return "min" or "max"."""

    @property
    def family(self) -> Family:
        """Return the same trials by descent."""

    def lineage(self, trial: FinishedTrial | int | None = None) -> Lineage:
        """Return the descent of one of them."""


@dataclass(frozen=True, eq=False)
class TrialTable:
    """Finished trials at one moment; row i of every array is one trial.

    Attributes:
        trials: All of them in the order of their numbers.
        mode: "min" or "max".
        family: The same trials by descent.
        best: Best of the members' latest trials; None if none of them has a finite value.
        highlighted: Trial whose line is drawn over the others; None if there is none.
    """

    trials: Sequence[FinishedTrial]
    mode: str
    family: Family
    best: FinishedTrial | None
    highlighted: FinishedTrial | None

    @classmethod
    def of(cls, results: Viewed, trial: FinishedTrial | int | None = None) -> Self:
        """Return the finished trials of a study's results.

        Args:
            results: Results of one reading.
            trial: Trial to highlight, or its number. Default: the best of the members' latest.

        Raises:
            ArgumentError: `trial` is none of the study's finished trials.
        """
        first = best(latest(results.trials), results.mode)
        highlighted = first if trial is None else results.lineage(trial).trial
        return cls(results.trials, results.mode, results.family, first, highlighted)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def sign(self) -> int:
        """Return 1 if lower values are better, -1 if higher ones are."""
        return sign_of(self.mode)

    def column(self, read: Callable[[FinishedTrial], float | None]) -> Floats:
        """Return one number of each trial `(n,)`; NaN for None."""
        return np.array([read(trial) for trial in self.trials], dtype=float)

    @cached_property
    def member(self) -> Rows:
        """Return the members `(n,)`."""
        return np.array([trial.member for trial in self.trials], dtype=np.int64)

    @cached_property
    def step(self) -> Rows:
        """Return the steps `(n,)`, counted by each member from 0."""
        return np.array([trial.step for trial in self.trials], dtype=np.int64)

    @cached_property
    def value(self) -> Floats:
        """Return the values `(n,)` as told; NaN where the trial failed, or was not valued."""
        return self.column(lambda trial: trial.value)

    @cached_property
    def valued(self) -> Mask:
        """Return a mask `(n,)` of trials that have a value, if only one that is not finite."""
        return np.array([trial.valued for trial in self.trials], dtype=bool)

    @cached_property
    def failed(self) -> Mask:
        """Return a mask `(n,)` of trials that failed."""
        return self.valued & ~np.isfinite(self.value)

    @cached_property
    def parent(self) -> Rows:
        """Return the row `(n,)` of each trial's parent, always an earlier one; -1 for founders."""
        numbers = (-1 if trial.parent is None else trial.parent for trial in self.trials)
        return np.array([self._row.get(number, -1) for number in numbers], dtype=np.int64)

    @cached_property
    def line(self) -> Rows:
        """Return the rows of the highlighted trial and its ancestors, the founder first; empty if none."""
        line = [] if self.highlighted is None else self.family.line(self.highlighted)
        return np.array([self._row[trial.number] for trial in line], dtype=np.int64)

    @cached_property
    def founder(self) -> Rows:
        """Return the row `(n,)` of each trial's founder, which began with fresh weights."""
        founders = self.family.founders
        return np.array([self._row[founders[trial.number]] for trial in self.trials], dtype=np.int64)

    @cached_property
    def copied(self) -> Mask:
        """Return a mask `(n,)` of exploits: trials that continued from another member's weights."""
        copied: Mask = (self.parent >= 0) & (self.member[self.parent] != self.member)
        return copied

    @cached_property
    def stayed(self) -> Mask:
        """Return a mask `(n,)` of trials that continued from their own member's weights."""
        return (self.parent >= 0) & ~self.copied

    @cached_property
    def isolated(self) -> Mask:
        """Return a mask `(n,)` of founders without children, through which no line goes."""
        isolated = self.parent < 0
        isolated[self.parent[self.parent >= 0]] = False
        return isolated

    @cached_property
    def latest(self) -> Rows:
        """Return the row of each member's latest trial."""
        return np.array([self._row[trial.number] for trial in latest(self.trials)])

    @cached_property
    def _row(self) -> dict[int, int]:
        return {trial.number: row for row, trial in enumerate(self.trials)}

    def edges(self, y: Floats, which: Mask) -> Floats:
        """Return lines from parent to child `(k, 2, 2)`, each end as step and y.

        Args:
            y: Ordinate of each trial `(n,)`.
            which: Mask `(n,)` of the children, all with a parent.
        """
        ends = np.column_stack([self.step, y])
        begin = self.parent[which]
        while (skipped := ~self.valued[begin] & np.isnan(y[begin]) & (self.parent[begin] >= 0)).any():
            begin = np.where(skipped, self.parent[begin], begin)  # a line leads past what was not valued
        return np.stack([ends[begin], ends[which]], axis=1)

    @cached_property
    def best_so_far(self) -> tuple[Rows, Floats]:
        """Return steps `(s,)` and the best value up to each `(s,)`, from the first finite value on."""
        steps, losses = self.by_step(self.sign * self.value, np.min)
        return steps, self.sign * np.minimum.accumulate(losses)

    def by_step(self, y: Floats, summary: Callable[[Floats], Any]) -> tuple[Rows, Floats]:
        """Return steps `(s,)` and a summary of each one's finite numbers `(s,)`; skip steps without any."""
        finite = np.isfinite(y)
        order = np.argsort(self.step[finite], kind="stable")
        steps, starts = np.unique(self.step[finite][order], return_index=True)
        groups = np.split(y[finite][order], starts[1:]) if len(steps) else []
        return steps, np.array([summary(group) for group in groups], dtype=float)
