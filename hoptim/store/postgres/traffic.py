"""What other processes append, and when it is worth reading it ahead of a hold."""

from __future__ import annotations

import time

FEW = 16  # records that are read within a hold as fast as a round trip before it takes


class Traffic:
    """Records that others append between the holds of this process, and while it waits for one."""

    def __init__(self) -> None:
        self._n, self._ended = 0, -1.0
        self._rate = self._waited = 0.0

    @property
    def is_behind(self) -> bool:
        """Return whether there may be many records since the last hold."""
        return self._ended < 0 or self._rate * (time.monotonic() - self._ended) > FEW

    @property
    def is_crowded(self) -> bool:
        """Return whether many records may come while the next hold is waited for."""
        return self._rate * self._waited > FEW

    def note(self, found: int, n: int, waited: float) -> None:
        """Note a hold that ended just now.

        Args:
            found: Records there were before its own.
            n: Records there are now.
            waited: Seconds that it was waited for.
        """
        now = time.monotonic()
        if self._ended >= 0:
            self._rate = (found - self._n) / max(now - self._ended, 1e-6)
        self._n, self._ended, self._waited = n, now, waited
