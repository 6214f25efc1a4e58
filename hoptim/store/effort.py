"""Effort: what a study has taken so far, which conditions for stopping look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hoptim.store.fields import whole
from hoptim.store.trial_record import TrialRecord


@dataclass(slots=True)
class Effort:
    """Training time and progress so far, and both at the last resumption.

    Attributes:
        seconds: Seconds from claim to end, summed over all attempts that their worker ended.
        improved: Number of trials that had ended when the best value of all was told.
        trials_before: Number of trials that had ended when the study was last resumed.
        seconds_before: `seconds` at that time.
        best_before: Best value of all at that time, None without one.
    """

    seconds: float = 0.0
    improved: int = 0
    trials_before: int = 0
    seconds_before: float = 0.0
    best_before: float | None = None

    @classmethod
    def read(cls, found: Sequence[Any]) -> Effort:
        """Return what a snapshot says; raise `TypeError` or `ValueError` for what hoptim did not write."""
        seconds, improved, trials, seconds_before, best = found
        value = None if best is None else float(best)
        return cls(float(seconds), whole(improved), whole(trials), float(seconds_before), value)

    def spend(self, trial: TrialRecord, time: float) -> None:
        """Add an attempt that its worker ends at a time, seconds since 1970; clocks may run apart."""
        self.seconds += max(0.0, time - trial.claimed)

    def resume(self, trials: int, best: TrialRecord | None) -> None:
        """Note what there is when the study is resumed.

        Args:
            trials: Number of trials that have ended.
            best: Trial with the best value of all, None without one.
        """
        self.trials_before, self.seconds_before = trials, self.seconds
        self.best_before = None if best is None else best.value
