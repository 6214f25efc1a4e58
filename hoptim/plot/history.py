"""What a study's finished trials add up to, as arrays; nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import hoptim
from hoptim import FinishedTrial
from hoptim.analysis.lineage import chosen
from hoptim.analysis.ranking import best

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class History:
    """The finished trials of one moment; row i of every array is one trial.

    Attributes:
        trials: In the order of their numbers, at least one.
        mode: "min" or "max".
        family: The same trials, by descent.
        chosen: Whose line stands out; None when there is no winner yet.
    """

    trials: Sequence[FinishedTrial]
    mode: str
    family: hoptim.Family
    chosen: FinishedTrial | None

    @classmethod
    def of(cls, study: hoptim.Study, trial: FinishedTrial | int | None = None) -> Self:
        """What a study holds now, read once.

        Args:
            study: May be running.
            trial: The trial whose line stands out, or its number; None is the winner, the best of
                the members' latest.

        Raises:
            NoResult: No trial has finished yet.
            ArgumentError: `trial` is none of the study's finished trials.
        """
        trials = study.trials
        if not trials:
            raise hoptim.NoResult(f"{study!r} has no finished trial yet, so there is nothing to draw.")
        family = hoptim.Family(trials, study.size, study.mode)
        who = winner(trials, study.mode) if trial is None else chosen(family.trials, trial)
        return cls(trials, study.mode, family, who)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def sign(self) -> int:
        """1 when lower values are better, -1 when higher ones are."""
        return 1 if self.mode == "min" else -1

    def column(self, read: Callable[[FinishedTrial], float]) -> Floats:
        """One number of each trial `(n,)`."""
        return np.array([read(trial) for trial in self.trials], dtype=float)

    @cached_property
    def member(self) -> Rows:
        """Members `(n,)`."""
        return np.array([trial.member for trial in self.trials])

    @cached_property
    def step(self) -> Rows:
        """Steps `(n,)`, counted by each member from 0."""
        return np.array([trial.step for trial in self.trials])

    @cached_property
    def value(self) -> Floats:
        """Values `(n,)` in the user's sign; NaN where the trial failed."""
        return self.column(lambda trial: trial.value)

    @cached_property
    def parent(self) -> Rows:
        """Rows `(n,)` of the trials that each continued from, before its own; -1 for founders."""
        numbers = (-1 if trial.parent is None else trial.parent for trial in self.trials)
        return np.array([self._row.get(number, -1) for number in numbers])

    @cached_property
    def line(self) -> Rows:
        """Rows of the chosen trial and its ancestors, the founder first; empty without a chosen one."""
        line = [] if self.chosen is None else self.family.line(self.chosen)
        return np.array([self._row[trial.number] for trial in line], dtype=np.int64)

    @cached_property
    def founder(self) -> Rows:
        """Rows `(n,)` of the trials with fresh weights that each descends from."""
        founders = self.family.founders
        return np.array([self._row[founders[trial.number]] for trial in self.trials])

    @cached_property
    def copied(self) -> Mask:
        """Mask `(n,)` of exploits: trials that continued from another member's weights."""
        copied: Mask = (self.parent >= 0) & (self.member[self.parent] != self.member)
        return copied

    @cached_property
    def stayed(self) -> Mask:
        """Mask `(n,)` of trials that continued from their own member's weights."""
        return (self.parent >= 0) & ~self.copied

    @cached_property
    def lonely(self) -> Mask:
        """Mask `(n,)` of founders without children, through which no line goes."""
        lonely = self.parent < 0
        lonely[self.parent[self.parent >= 0]] = False
        return lonely

    @cached_property
    def latest(self) -> Rows:
        """Row of each member's latest trial."""
        return np.array(list({member: row for row, member in enumerate(self.member.tolist())}.values()))

    @cached_property
    def _row(self) -> dict[int, int]:
        return {trial.number: row for row, trial in enumerate(self.trials)}

    def edges(self, y: Floats, which: Mask) -> Floats:
        """From parent to child, for some trials that have parents: `(k, 2, 2)`, each end as step, y."""
        ends = np.column_stack([self.step, y])
        return np.stack([ends[self.parent[which]], ends[which]], axis=1)

    @cached_property
    def best_so_far(self) -> tuple[Rows, Floats]:
        """Steps `(s,)` and the best value of all trials up to each; from the first finite value on."""
        steps, best = self.by_step(self.sign * self.value, np.min)
        return steps, self.sign * np.minimum.accumulate(best)

    def by_step(self, y: Floats, summary: Callable[[Floats], Any]) -> tuple[Rows, Floats]:
        """Steps `(s,)` and a summary of the finite numbers of each; steps without any are left out."""
        finite = np.isfinite(y)
        order = np.argsort(self.step[finite], kind="stable")
        steps, starts = np.unique(self.step[finite][order], return_index=True)
        groups = np.split(y[finite][order], starts[1:]) if len(steps) else []
        return steps, np.array([summary(group) for group in groups], dtype=float)


def winner(trials: Sequence[FinishedTrial], mode: str) -> FinishedTrial | None:
    """The best of the members' latest trials, as `Study.best`; None when none is finite."""
    latest = {trial.member: trial for trial in trials}
    return best(latest.values(), mode)


def step_size(trial: FinishedTrial) -> float:
    """ROMUL's step size of a trial; NaN where the optimizer noted none."""
    sigma = trial.memo.get("sigma") if isinstance(trial.memo, Mapping) else None
    return float(sigma) if isinstance(sigma, (int, float)) else math.nan
