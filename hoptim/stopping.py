"""Stopping: when a study is to stop by itself, and that it has stopped."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Any

from hoptim._arguments import number_of, whole_of
from hoptim._text import shown
from hoptim.errors import ArgumentError


@dataclass(frozen=True)
class Stop:
    """Conditions under which a study stops; the first that is met stops it, for all its workers.

    They are looked at whenever a trial ends or is asked for in a process that opened the study with
    `stop=`. What is met is recorded in the journal, so that every worker stops: each ends the trial that
    it has in hand, tells it, and is given no other one. So up to one trial for each worker may end after
    a target or a budget is reached. What was met before a study was resumed is ignored from then on.

    Args:
        value: Target, in your own sign: the best value of all trials is as good as this, or better.
            Default: none.
        trials: Budget of trials: so many have ended, failed ones included. Default: none.
        hours: Budget of training time, over all workers: the sum of the times from claim to end of all
            attempts, so that four workers take four hours an hour. Workers that were lost, and time when
            nobody trains, do not count. Default: none.
        patience: Steps without progress: over so many times the number of members trials no value was
            better than the best before. Counted anew from a resumption. Default: none.

    Raises:
        ArgumentError: No condition, or one that cannot work.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> stop = hoptim.Stop(value=0.01, trials=200)
    >>> study = hoptim.Study(None, space=space, size=4, steps=1000, mode="min", stop=stop)
    >>> for trial in study:
    ...     trial.tell(abs(trial.params["x"] - 0.3))
    >>> study.best_ever.value <= 0.01, study.done
    (True, False)
    >>> print(study.stopped.why)
    the value 0.00164111 of trial 33 reached the target 0.01
    """

    value: float | None = None
    trials: int | None = None
    hours: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "patience"):
            if (count := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_of(f"Stop: {name}", count, 1))
        for name in ("value", "hours"):
            if (number := getattr(self, name)) is not None:
                object.__setattr__(self, name, _finite(name, number))
        if self.hours is not None and self.hours <= 0:
            raise ArgumentError(f"Stop: hours must be above 0, found {shown(self.hours)}.")
        if all(each is None for each in astuple(self)):
            raise ArgumentError("Stop needs a condition: value, trials, hours or patience.")


@dataclass(frozen=True)
class Stopped:
    """The stop of a study, as the journal records it.

    Attributes:
        why: Reason, such as the condition of a `Stop` that was met.
        by: User and host of the process that stopped it, such as "anna@node7"; "" where not recorded.
        at: Time, seconds since 1970.
    """

    why: str
    by: str
    at: float


def _finite(name: str, value: Any) -> float:
    number = number_of(f"Stop: {name}", value)
    if not math.isfinite(number):
        raise ArgumentError(f"Stop: {name} must be a finite number, found {shown(value)}.")
    return number
