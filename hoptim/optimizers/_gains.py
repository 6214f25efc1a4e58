"""The gains that PB2 learns from, and the trials whose gain is not seen yet."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from hoptim.optimizers.population import Row
from hoptim.optimizers.summary import Summary


class Gain(NamedTuple):
    """What an interval gained: the loss of the trial's parent less its own, by intervals between them."""

    number: int
    step: int
    x: Sequence[float]
    gain: float


class Gains(Summary):
    """For each step, the latest gains up to it and the latest trials of it; latest by trial number.

    A trial that ends costs a look at each step from its own on, of which there are few: members run ahead
    of others by the study's lead at most.

    Args:
        window: Gains that are kept for each step.
        trials: Trials that are kept of each step.
    """

    def __init__(self, window: int, trials: int) -> None:
        self._window, self._trials = window, trials
        self._loss: dict[int, float] = {}
        self._gains: list[list[Gain]] = []  # by step, of all steps up to it
        self._ended: list[list[Gain]] = []  # by step

    def begun(self, trial: Row) -> None:
        """Do nothing: what is running is asked of the view."""

    def ended(self, trial: Row) -> None:
        self._loss[trial.number] = trial.loss
        while len(self._gains) <= trial.step:
            self._gains.append(self._gains[-1].copy() if self._gains else [])
            self._ended.append([])
        gain = (self._loss.get(trial.parent, math.nan) - trial.loss) / trial.span
        found = Gain(trial.number, trial.step, trial.x, gain)
        _add(found, self._ended[trial.step], self._trials)
        if math.isfinite(gain):
            for gains in self._gains[trial.step :]:
                _add(found, gains, self._window)

    def up_to(self, step: int) -> list[Gain]:
        """Return the latest finite gains of all steps up to one, in the order of the trials."""
        return self._gains[min(step, len(self._gains) - 1)] if self._gains else []

    def after(self, step: int) -> list[Gain]:
        """Return trials of later steps that ended, among them the latest of all; the gains may be NaN."""
        return [trial for ended in self._ended[step + 1 :] for trial in ended]


def _add(found: Gain, to: list[Gain], most: int) -> None:
    """Put a trial at its place; the earliest goes if there are too many."""
    insort(to, found)
    if len(to) > most:
        del to[0]
