"""The heartbeat: signs of life of this process that beat while it lives."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress

from hoptim.store.daemon import start_daemon
from hoptim.store.signs import Signs

BEATS_PER_LEASE = 6


class Heartbeat:
    """A thread that beats for some signs, six times in each lease.

    One serves all that a process shows of itself in a study: its worker and its pins. The thread runs
    while there are signs.

    Args:
        lease: Seconds without a beat after which others may take the process for dead.
    """

    def __init__(self, lease: float) -> None:
        self.lease = float(lease)  # of any library; JSON takes plain ones
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.RLock()  # a pin may be collected, and so removed, at any moment
        self._shown: tuple[tuple[Signs, tuple[str, ...]], ...] = ()
        self._stop = threading.Event()

    def add(self, signs: Signs, names: Iterable[str]) -> None:
        """Beat for some more signs from now on; raise `StoreError` if no thread can be started."""
        if self._pid != os.getpid():
            self._begin()  # a forked child has no thread, and nothing of its parent's to show
        with self._guard:
            whole = (*self._shown, (signs, tuple(names)))
            if not self._shown:
                self._stop = threading.Event()
                start_daemon("hoptim-beat", self._run, [self._stop])
            self._shown = whole  # only now: without a thread, no later call may take it for running

    def remove(self, signs: Signs, names: Iterable[str]) -> None:
        """Beat no longer for signs that were added together."""
        if self._pid != os.getpid():
            return
        with self._guard:
            gone = signs, tuple(names)
            self._shown = tuple(each for each in self._shown if each != gone)
            if not self._shown:
                self._stop.set()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.lease / BEATS_PER_LEASE):
            for signs, names in self._shown:
                with suppress(OSError):  # a beat that fails is a beat missed; the lease decides
                    signs.beat(names)
