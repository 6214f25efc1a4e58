"""Time that a call may spend waiting, however many locks it takes one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Patience:
    """A number of seconds that run from now on.

    Args:
        seconds: Length; None is endless.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Return the seconds that are left, None if endless."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def within(self, limit: float | None) -> float | None:
        """Return the seconds that are left, at most a limit; None if both are endless."""
        return min((seconds for seconds in (self.left, limit) if seconds is not None), default=None)


ENDLESS = Patience(None)


_limit = ContextVar("limit", default=ENDLESS)


@contextmanager
def limited(seconds: float | None) -> Iterator[Patience]:
    """Limit, within a block, how long this thread tries to reach a server that is away.

    Args:
        seconds: Length; None is endless. A limit around the block counts as well.
    """
    left = Patience(limit().within(seconds))
    token = _limit.set(left)
    try:
        yield left
    finally:
        _limit.reset(token)


def limit() -> Patience:
    """Return what `limited` has left to this thread."""
    return _limit.get()
