"""How often one worker is started again, and after how long."""

from __future__ import annotations

_FIRST = 1.0  # seconds before the first restart; each further one takes twice as long
_LONGEST = 60.0
_STEADY = 600.0  # seconds; whoever worked for so long had no bad start, so its count begins anew


class Restarts:
    """Counts the restarts of one worker.

    Args:
        most: So many in a row; then it is given up.

    Attributes:
        count: Restarts in a row so far.
    """

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0

    def delay(self, lived: float) -> float | None:
        """Seconds to wait before the next start, None when there shall be none.

        Args:
            lived: Seconds that the worker was at work before it ended.
        """
        if lived >= _STEADY:
            self.count = 0
        if self.count >= self.most:
            return None
        self.count += 1
        return float(min(_FIRST * 2 ** (self.count - 1), _LONGEST))
