"""Restart policy of one worker: exponential back-off, a limited number in a row."""

from __future__ import annotations

_FIRST = 1.0  # seconds before the first restart; each further one takes twice as long
_LONGEST = 60.0
_STEADY = 600.0  # seconds; whatever ran for so long had no bad start, so its count begins anew


class Restarts:
    """Counter of one worker's restarts.

    Args:
        most: Restarts in a row after which the worker is given up.

    Attributes:
        count: Restarts in a row so far.
        tries: Starts in a row that failed while other workers ran.
    """

    def __init__(self, most: int) -> None:
        self.most, self.count, self.tries = most, 0, 0

    def delay(self, lived: float) -> float | None:
        """Count a restart and return the seconds to wait before it, None if the worker is given up.

        Args:
            lived: Seconds that the worker ran; the count begins anew at ten minutes.
        """
        if lived >= _STEADY:
            self.count = 0
        if self.count >= self.most:
            return None
        self.count += 1
        return _wait(self.count)

    def begin_anew(self) -> float:
        """Return the seconds to wait before a restart that is not counted; others are counted anew."""
        self.count = 0
        return _wait(1)

    def retry(self) -> float:
        """Count a start that failed and return the seconds to wait before the next one."""
        self.tries += 1
        return _wait(self.tries)


def _wait(times: int) -> float:
    return float(min(_FIRST * 2 ** min(times - 1, 30), _LONGEST))
