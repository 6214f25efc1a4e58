"""The founder of all members, once they have only one."""

from __future__ import annotations

from typing import NamedTuple

from hoptim.store.trial_record import TrialRecord


class Sole(NamedTuple):
    """The first step after which all members descended from one founder.

    Attributes:
        founder: Number of the trial with fresh weights that they began with.
        step: Step that all members had done.
    """

    founder: int
    step: int


class Founders:
    """Founders of the trials of each step that not all members have done yet.

    Args:
        size: Number of members. One member alone never has a sole founder.

    Attributes:
        sole: Sole founder; None while there are more.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.sole: Sole | None = None
        self._steps: dict[int, tuple[int, int | None]] = {}  # trials that ended, and their founder if one

    def end(self, trial: TrialRecord) -> None:
        """Note a trial that ended."""
        if self.sole is not None:
            return
        ended, founder = self._steps.pop(trial.step, (0, trial.founder))
        if founder != trial.founder:
            founder = None
        if ended + 1 < self.size:
            self._steps[trial.step] = ended + 1, founder
        elif founder is not None and self.size > 1:
            self.sole = Sole(founder, trial.step)
            self._steps.clear()
