"""Values that are made anew when they are asked for, yet cost no more than a share of the time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

_TIMES = 10.0  # what making a value took, times this, is the least time that it is kept

T = TypeVar("T")


class Renewed(Generic[T]):
    """A value that any number of threads may ask for again and again.

    Args:
        make: Function that returns the next value, from the one before or None.
        pause: Seconds that a value is kept at least.
        lock: Lock that is held while a value is made.
    """

    def __init__(self, make: Callable[[T | None], T], pause: float, lock: Lock) -> None:
        self._make, self._pause, self._lock = make, pause, lock
        self._value: T | None = None
        self._until = 0.0

    @property
    def kept(self) -> T | None:
        """Return the value that is there, None if it is time for another."""
        return self._value if monotonic() < self._until else None

    def get(self, wait: bool = True) -> T:
        """Return the value, made anew if it is time.

        Args:
            wait: True to wait for the lock even where there is an old value. Default: True.
        """
        before = self._value
        if not self._lock.acquire(blocking=wait or before is None) and before is not None:
            return before
        try:
            value = self.kept
            if value is None:
                began = monotonic()
                value = self._value = self._make(self._value)
                now = monotonic()
                self._until = now + max(self._pause, _TIMES * (now - began))
            return value
        finally:
            self._lock.release()
