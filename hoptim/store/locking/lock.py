"""The lock of a study: a fair queue in front of one kernel lock, never stolen, never unlinked."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from hoptim import _signals
from hoptim._files import explained
from hoptim._signals import signals_allowed, signals_deferred
from hoptim.errors import LockTimeout, OptimizerError
from hoptim.store.layout import LOCK, QUEUE
from hoptim.store.locking import kernel, mounts
from hoptim.store.locking.holder import holder, note_holder, own_name
from hoptim.store.locking.threads import Waiter, WaitLogger, take

log = logging.getLogger("hoptim")

_LOG_EVERY = 10.0  # seconds between two warnings about a lock that stays taken


class StudyLock:
    """Mutual exclusion between threads and processes, on any machine that shares the folder.

    Waiters queue in a blocking `flock` on `queue`, because polling starves them; the head of the
    queue then takes `lock` through filelock, by the kernel's lock alone: the file stays, no age counts,
    and a file system without locks is an error. The holder's name is in `queue` meanwhile. One object
    serves a process and folder, see `of`.

    Args:
        folder: Directory of the study.

    Attributes:
        folder: Directory of the study.
        mutex: Lock that keeps the threads of this process apart.
        single_host: True once the mount's locks need not be checked, or were found to be shared.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._queue_path, self._lock_path = str(folder / QUEUE), str(folder / LOCK)
        self.mutex = threading.RLock()
        self.single_host = False
        self._queue: int | None = None
        self._waiter: Waiter | None = None
        self._wait_logger: WaitLogger | None = None
        self._inner: int | None = None
        self._deadline: float | None = None  # of whoever waits for the lock, or holds it
        self._name = own_name()

    @staticmethod
    def of(folder: Path, single_host: bool = False) -> StudyLock:
        """Return the one object for this process and folder; a forked child makes its own.

        Args:
            folder: Directory of the study.
            single_host: True if all processes run on this machine, so that the check of the mount's locks
                is skipped. Default: False.
        """
        key = (os.getpid(), os.path.realpath(folder))
        with _registry_guard:
            lock = _registry.setdefault(key, StudyLock(folder))
        lock.single_host = lock.single_host or single_host
        return lock

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """Hold the lock for a block; signals wait for its end, but never for the lock.

        Args:
            timeout: Seconds to wait at most; None waits on, with a warning every 10 s.
        """
        _signals.defer(signal.SIGINT)
        with signals_deferred():
            self.acquire(timeout)
            try:
                yield
            finally:
                self.release()

    def acquire(self, timeout: float | None) -> None:
        """Take the lock; waiters log its holder every 10 s.

        Args:
            timeout: Seconds to wait at most; None waits on, with a warning every 10 s.

        Raises:
            LockTimeout: Still taken after `timeout`; names the holder.
            StoreError: The lock files cannot be opened, or their locks are not to be trusted.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        take(self.mutex, timeout, str(self.folder))
        if self._queue is not None:
            self.mutex.release()
            raise OptimizerError("Study methods cannot be called from propose() or keep=.")
        try:
            if not self.single_host:
                mounts.require_shared_locks(self.folder)
                self.single_host = True  # or as good as that; asked once
            self._deadline = deadline
            while True:
                self._enter_queue(deadline)
                self._lock_head()
                with explained("look at the lock of", self.folder):
                    current = self._is_current()
                if current:
                    break
                self._leave_queue()
            self._note_holder()
        except BaseException:
            self._leave_queue()
            self.mutex.release()
            raise

    def release(self) -> None:
        """Let go of the lock; the next in the queue takes it."""
        self._leave_queue()
        self.mutex.release()

    @property
    def fd(self) -> int:
        """Return the descriptor of the file `lock` while it is held, else -1."""
        return -1 if self._inner is None else self._inner

    def lock_file(self, fd: int, path: str) -> None:
        """Lock another open file, too, within a hold and its timeout; `unlock_and_close` lets go of it.

        Args:
            fd: Descriptor of the file; a forked child closes it.
            path: Path of the file, for messages.
        """
        kernel.held.add(fd)
        self._lock_file(fd, path)

    def _enter_queue(self, deadline: float | None) -> None:
        waiter = self._waiter
        if waiter is None or not waiter.adopt():
            with explained("lock", self._queue_path):
                self._queue = fd = kernel.open_shared(self._queue_path)
                if kernel.try_lock(fd):
                    return
                if deadline is None:
                    self._block(fd)
                    return
            self._queue = None
            self._waiter = waiter = Waiter(fd)
        try:
            with signals_allowed(), explained("lock", self._queue_path):
                came = self._retry(waiter.wait, deadline)
        except BaseException:
            waiter.abandon()
            raise
        if not came:
            waiter.abandon()
            self._raise_timeout()
        self._queue, self._waiter = waiter.fd, None

    def _block(self, fd: int) -> None:
        """Wait in the kernel, which costs no thread; another one logs the holder now and then."""
        if self._wait_logger is None:
            self._wait_logger = WaitLogger(self._log_holder)
        self._wait_logger.every = _LOG_EVERY
        with self._wait_logger, signals_allowed():
            fcntl.flock(fd, fcntl.LOCK_EX)

    def _lock_head(self) -> None:
        with explained("lock", self._lock_path):
            self._inner = fd = kernel.open_shared(self._lock_path)
        self._lock_file(fd, self._lock_path)

    def _lock_file(self, fd: int, path: str) -> None:
        with explained("lock", path):
            if not self._retry(partial(kernel.poll_lock, fd), self._deadline):
                self._raise_timeout()

    def _is_current(self) -> bool:
        """Return whether the files that are locked are still the ones that others would lock."""
        return kernel.is_at(self._queue, self._queue_path) and kernel.is_at(self._inner, self._lock_path)

    def _note_holder(self) -> None:
        if self._queue is not None:
            note_holder(self._queue, self._name)

    def _leave_queue(self) -> None:
        locked = (self._inner, self._queue)
        self._inner = self._queue = None
        for fd in locked:
            if fd is not None:
                with suppress(OSError):
                    kernel.unlock_and_close(fd)

    def _retry(self, attempt: Callable[[float], bool], deadline: float | None) -> bool:
        """Try in rounds of 10 s, and log the holder after each; return whether it worked in time."""
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if attempt(_LOG_EVERY if left is None else max(0.0, min(left, _LOG_EVERY))):
                return True
            if left is not None and left <= _LOG_EVERY:
                return False
            self._log_holder()

    def _log_holder(self) -> None:
        log.warning("Waiting for the lock of %s, held by %s.", self.folder, holder(self._queue_path))

    def _raise_timeout(self) -> NoReturn:
        raise LockTimeout(
            f"The lock of {str(self.folder)!r} is held by {holder(self._queue_path)}. Retry, or see "
            "whether that process is stopped; hoptim never takes a lock away from a living process."
        )


_registry: dict[tuple[int, str], StudyLock] = {}
_registry_guard = threading.Lock()


def _after_fork() -> None:
    """Close, in a forked child, the descriptors by which it would keep its parent's locks."""
    global _registry_guard
    _registry_guard = threading.Lock()
    for lock in _registry.values():
        for fd in (lock._inner, lock._queue, None if lock._waiter is None else lock._waiter.fd):
            kernel.close_quietly(fd)
    for fd in kernel.held:
        kernel.close_quietly(fd)
    kernel.held.clear()
    _registry.clear()


os.register_at_fork(after_in_child=_after_fork)
