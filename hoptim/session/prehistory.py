"""Prehistory: the intervals of a fork's weights that were trained in the study that it was forked from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from hoptim.analysis.schedule import Interval
from hoptim.trial import FinishedTrial

if TYPE_CHECKING:
    from hoptim.session.results import Results


def prehistory(adopted: FinishedTrial, new: Results, old: Results) -> Sequence[Interval]:
    """Return the old study's intervals up to a trial that a fork began with, itself included.

    Values of another objective than the fork's are left out. Such a fork has another mode, or its first
    trials have other values than in the old study.

    Args:
        adopted: Trial of the fork that has an origin.
        new: Results of the fork.
        old: Results of the old study.
    """
    intervals = old.schedule(adopted.origin).intervals
    first = islice(new.family.trials.values(), new.size)
    if new.mode == old.mode and all(_told(trial) == _told(_origin(trial, old)) for trial in first):
        return intervals
    *before, own = intervals
    return [*(it._replace(value=math.nan) for it in before), own._replace(value=adopted.value)]


def _origin(trial: FinishedTrial, old: Results) -> FinishedTrial | None:
    return None if trial.origin is None else old.family.trials.get(trial.origin)


def _told(trial: FinishedTrial | None) -> tuple[bool, str] | None:
    """Return what a trial was told, such that NaN is equal to itself."""
    return None if trial is None else (trial.valued, repr(trial.value))
