"""Prehistory: the intervals of a fork's weights that were trained in the study that it was forked from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile

from hoptim.analysis.family import Family
from hoptim.analysis.schedule import Interval
from hoptim.trial import FinishedTrial


def comparable(
    intervals: Sequence[Interval], adopted: FinishedTrial, new: Family, old: Family
) -> Sequence[Interval]:
    """Return intervals of the old study with those values alone that are of the fork's objective.

    A fork with another objective has another mode, or its first trials have other values than in the old
    study.

    Args:
        intervals: Intervals of the old study up to the trial that the fork began with, itself included.
        adopted: Same trial in the fork.
        new: Trials of the fork.
        old: Trials of the old study.
    """
    first = takewhile(lambda trial: trial.origin is not None, new.trials.values())
    if new.mode == old.mode and all(_told(trial) == _told(_origin(trial, old)) for trial in first):
        return intervals
    *before, own = intervals
    return [*(it._replace(value=math.nan) for it in before), own._replace(value=adopted.value)]


def _origin(trial: FinishedTrial, old: Family) -> FinishedTrial | None:
    return None if trial.origin is None else old.trials.get(trial.origin)


def _told(trial: FinishedTrial | None) -> tuple[bool, str] | None:
    """Return what a trial was told, such that NaN is equal to itself."""
    return None if trial is None else (trial.valued, repr(trial.value))
