"""The heartbeat: time stamps of this process's files that move while it lives."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress

from hoptim.store.daemon import start_daemon

BEATS_PER_LEASE = 6


class Heartbeat:
    """A thread that moves the time stamps of some files, six times in each lease.

    One serves all that a process shows of itself in a study's directory: its worker and its pins. The
    thread runs while there are files.

    Args:
        lease: Seconds without a beat after which others may take the process for dead.
    """

    def __init__(self, lease: float) -> None:
        self.lease = float(lease)  # of any library; JSON takes plain ones
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.RLock()  # a pin may be collected, and so removed, at any moment
        self._paths: tuple[str, ...] = ()
        self._stop = threading.Event()

    def add(self, paths: Iterable[str]) -> None:
        """Beat for some more files from now on; raise `StoreError` if no thread can be started."""
        if self._pid != os.getpid():
            self._begin()  # a forked child has no thread, and nothing of its parent's to show
        with self._guard:
            whole = (*self._paths, *paths)
            if whole and not self._paths:
                self._stop = threading.Event()
                start_daemon("hoptim-beat", self._run, [self._stop])
            self._paths = whole  # only now: without a thread, no later call may take it for running

    def remove(self, paths: Iterable[str]) -> None:
        """Beat no longer for some files."""
        if self._pid != os.getpid():
            return
        with self._guard:
            gone = set(paths)
            self._paths = tuple(path for path in self._paths if path not in gone)
            if not self._paths:
                self._stop.set()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.lease / BEATS_PER_LEASE):
            for path in self._paths:
                with suppress(OSError):  # a beat that fails is a beat missed; the lease decides
                    os.utime(path, follow_symlinks=False)
