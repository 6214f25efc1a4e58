"""Deadlines: when a process must stop, and how long the next trial takes by all that is known."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import numpy as np

from hoptim._arguments import moment_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, DeadlineNear
from hoptim.start import GIVEN
from hoptim.store.state import State

_OWN = 20  # trials of this process that an estimate is made from
_FEW = 3  # trials of the study; fewer say nothing, since one may have been exceptional
_SPREADS = 3.0  # median absolute deviations above the median that a trial may take: two standard deviations


class Deadline:
    """A point in time before which trials are to end.

    Args:
        at: Point in time, seconds since 1970 or an aware datetime; later steps of the clock do not move it.
        margin: Seconds to spare.

    Raises:
        ArgumentError: No point in time.
    """

    def __init__(self, at: float | datetime, margin: float) -> None:
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise ArgumentError(f"deadline must say its time zone, found {shown(at)}.")
            at = at.timestamp()
        left = moment_of("deadline", at) - time.time()
        self._end = time.monotonic() + left - moment_of("margin", margin)

    def require(self, seconds: float) -> None:
        """Raise `DeadlineNear` if a trial that takes so many seconds would end too late."""
        left = self._end - time.monotonic()
        if left < seconds:
            raise DeadlineNear(
                f"{max(0.0, left):.0f} s are left before the deadline, and by those before it the next "
                f"trial may take {seconds:.0f} s. Ask in a process that has more time; study.done tells "
                "whether any trial is left."
            )


class Durations:
    """Durations of trials that were told.

    Those of this process are measured by the monotonic clock. Before its first one the study's latest
    are taken from the journal, whose times may contain steps of a clock or be of other machines.
    """

    def __init__(self) -> None:
        self._own: deque[float] = deque(maxlen=_OWN)

    def note(self, seconds: float) -> None:
        """Note how long a trial of this process took."""
        self._own.append(seconds)

    def next(self, state: State) -> float:
        """Return the seconds that the next trial may take, 0 while too little is known.

        For the first trial of a process it is the median, so that one exceptional trial does not keep
        all later processes from training; then the median and three median absolute deviations.
        """
        if self._own:
            middle, spread = _median_and_spread(self._own)
            return middle + _SPREADS * spread
        late = list(islice(_recorded(state), 2 * state.size))
        return _median_and_spread(late)[0] if len(late) >= _FEW else 0.0


def _recorded(state: State) -> Iterator[float]:
    """Yield durations from the journal, the latest first; trials from elsewhere took none."""
    for trial in reversed(state.finished.values()):
        if (
            trial.ended is not None
            and trial.failed is None
            and trial.origin is None
            and trial.worker != GIVEN
        ):
            yield max(0.0, trial.ended - trial.claimed)


def _median_and_spread(seconds: Sequence[float]) -> tuple[float, float]:
    middle = float(np.median(seconds))
    return middle, float(np.median(np.abs(np.subtract(seconds, middle))))
