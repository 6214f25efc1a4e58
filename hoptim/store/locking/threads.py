"""Threads and locks: waiting for another thread, one that can be abandoned, one that logs the holder."""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hoptim._signals import signals_allowed
from hoptim.errors import LockTimeout, StoreError
from hoptim.store.daemon import start_daemon

_SLICE = 0.2  # seconds that a thread waits for another one without looking for signals


def take(mutex: threading.RLock, timeout: float | None, study: str) -> None:
    """Take a lock that keeps the threads of this process apart; signals act while it waits.

    Args:
        mutex: Lock to take.
        timeout: Seconds to wait at most for another thread, which may itself wait for the study's lock.
            None waits on.
        study: Directory of the study, for the message.

    Raises:
        LockTimeout: Still taken after `timeout`.
    """
    if mutex.acquire(blocking=False):
        return
    end = math.inf if timeout is None else time.monotonic() + timeout
    while not mutex.acquire(timeout=min(_SLICE, max(0.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            raise LockTimeout(f"Another thread kept the study {study!r} for {timeout} s.")
        with signals_allowed():  # not while the mutex is taken, or it could stay so for ever
            pass


class alone:
    """Keeps the other threads of this process out of a block; the arguments are those of `take`."""

    __slots__ = ("_mutex", "_study", "_timeout")

    def __init__(self, mutex: threading.RLock, timeout: float | None, study: str) -> None:
        self._mutex, self._timeout, self._study = mutex, timeout, study

    def __enter__(self) -> None:
        take(self._mutex, self._timeout, self._study)

    def __exit__(self, *_: object) -> None:
        self._mutex.release()


class WaitLogger:
    """A thread that logs now and then whom another one waits for, which is blocked in the kernel.

    Args:
        log: Called in that thread while a `with` block of this object lasts.

    Attributes:
        every: Seconds between two calls.
    """

    def __init__(self, log: Callable[[], None]) -> None:
        self.every = 10.0
        self._log, self._began = log, 0.0
        self._waiting = threading.Event()
        self._started = False

    def __enter__(self) -> None:
        if not self._started:
            with suppress(StoreError):  # without a thread to spare, the wait is not logged
                start_daemon("hoptim-wait-logger", self._run)
                self._started = True
        self._began = time.monotonic()
        self._waiting.set()

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    def _run(self) -> None:
        while self._waiting.wait():
            began = self._began
            time.sleep(self.every)
            if self._waiting.is_set() and self._began == began:
                self._log()


class Waiter:
    """A thread that blocks in `flock`, so that the one who waits can stop waiting.

    Args:
        fd: Descriptor of the file to lock.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._guard = threading.Lock()
        self._got = threading.Event()
        self._abandoned = False
        self._error: OSError | None = None
        try:
            start_daemon("hoptim-queue", self._run)
        except BaseException:
            os.close(fd)
            raise

    def _run(self) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        except OSError as error:
            self._error = error
        finally:
            with self._guard:
                self._got.set()
                self._close_if_abandoned()

    def _close_if_abandoned(self) -> None:
        if self._abandoned and self.fd >= 0:
            with suppress(OSError):
                os.close(self.fd)
            self.fd = -1  # the number may be that of another file from now on

    def wait(self, seconds: float) -> bool:
        """Return whether the lock came within some seconds; raise what kept it from coming."""
        came = self._got.wait(seconds)
        if self._error is not None:
            # A new one: this object would keep the frames that it passes through, and all that is in them.
            raise OSError(self._error.errno, self._error.strerror) from self._error
        return came

    def abandon(self) -> None:
        """Stop waiting; should the lock still come, the thread lets go of it."""
        with self._guard:
            self._abandoned = True
            if self._got.is_set():
                self._close_if_abandoned()

    def adopt(self) -> bool:
        """Wait again, at the old place in the queue; return False if the lock came and went."""
        with self._guard:
            self._abandoned = self._got.is_set()
            return not self._abandoned
