"""A deadline: when a process must stop, and which trials would still end before."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import islice

from hoptim._arguments import number_of
from hoptim.errors import ArgumentError
from hoptim.store.state import State


class Deadline:
    """A point in time before which trials are to end.

    Args:
        at: Point in time, seconds since 1970 or an aware datetime.
        margin: Seconds to spare.

    Raises:
        ArgumentError: No point in time.
    """

    def __init__(self, at: float | datetime, margin: float) -> None:
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise ArgumentError(f"deadline must say its time zone, found {at!r}.")
            at = at.timestamp()
        self._at, self._margin = number_of("deadline", at), number_of("margin", margin)

    def is_near(self, state: State) -> bool:
        """Tell whether the next trial would end too late, if it takes as long as the longest of late."""
        late = islice(reversed(state.finished.values()), 2 * state.size)
        took = max((trial.ended - trial.claimed for trial in late if trial.ended is not None), default=0.0)
        return time.time() + took + self._margin > self._at
