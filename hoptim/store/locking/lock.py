"""The lock of a study: a fair queue in front of one kernel lock, never stolen, never unlinked."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from hoptim import _signals
from hoptim._files import create, explained, read_front
from hoptim._signals import signals_allowed, signals_deferred
from hoptim.errors import LockTimeout, OptimizerError
from hoptim.store.layout import LOCK, QUEUE
from hoptim.store.locking import mounts
from hoptim.store.locking.threads import Waiter, WaitLogger

log = logging.getLogger("hoptim")

_SAY_EVERY = 10.0  # seconds between two words about a lock that stays taken
_SHARED_WITHIN = 1.0  # seconds; of a group, one who makes a file shares it a moment later
_SLICE = 0.2  # seconds that a thread waits for another one without looking for signals
_NAME_BYTES = 120


class StudyLock:
    """Mutual exclusion between threads and processes, on any machine that shares the folder.

    Waiters stand in line in a blocking `flock` on `queue`, because polling starves them; the head
    of the line then takes `lock` through filelock, by the kernel's lock alone: the file stays, no
    age counts, and a file system without locks is an error. The holder's name is in `queue`
    meanwhile. One object serves a process and folder, see `of`.
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
        self._name = f"process {os.getpid()} on {os.uname().nodename}"[: _NAME_BYTES - 40]

    @staticmethod
    def of(folder: Path, single_host: bool = False) -> StudyLock:
        """The one object for this process and folder; a forked child makes its own.

        Args:
            folder: The study's directory.
            single_host: The caller's word that nobody locks it from another machine.
        """
        key = (os.getpid(), os.path.realpath(folder))
        with _registry_guard:
            lock = _registry.setdefault(key, StudyLock(folder))
        lock.single_host = lock.single_host or single_host
        return lock

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """Enter for a block, as `acquire`; signals wait for its end, but never for the lock."""
        _signals.defer(signal.SIGINT)
        with signals_deferred():
            self.acquire(timeout)
            try:
                yield
            finally:
                self.release()

    def acquire(self, timeout: float | None) -> None:
        """Enter.

        Args:
            timeout: Seconds to wait at most; None waits on, with a warning every 10 s.

        Raises:
            LockTimeout: Still taken after `timeout`; names the holder.
            StoreError: The lock files cannot be opened, or their locks are not to be trusted.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._keep_threads_apart(timeout)
        if self._queue is not None:
            self.mutex.release()
            raise OptimizerError("An optimizer or keep= called the study that was asking it.")
        try:
            if not self.single_host:
                mounts.require_shared_locks(self.folder)
                self.single_host = True  # or as good as that; asked once
            while True:
                self._stand_in_line(deadline)
                self._take(deadline)
                with explained("look at the lock of", self.folder):
                    current = self._is_current()
                if current:
                    break
                self._leave_line()
            self._sign()
        except BaseException:
            self._leave_line()
            self.mutex.release()
            raise

    def release(self) -> None:
        """Leave; the next in line enters."""
        self._leave_line()
        self.mutex.release()

    @property
    def fd(self) -> int:
        """Descriptor of the file `lock` while it is held, else -1."""
        return -1 if self._inner is None else self._inner

    def lock_file(self, fd: int, path: str, timeout: float | None) -> None:
        """Lock another open file, too, within a hold; `unlock_and_close` lets go of it.

        Args:
            fd: Descriptor of the file; a forked child closes it.
            path: Path of the file, for messages.
            timeout: Seconds to wait at most; None waits on.
        """
        _held.add(fd)
        self._lock_file(fd, path, None if timeout is None else time.monotonic() + timeout)

    def _keep_threads_apart(self, timeout: float | None) -> None:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self.mutex.acquire(timeout=min(_SLICE, max(0.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                raise LockTimeout(f"Another thread kept the study {str(self.folder)!r} for {timeout} s.")
            with signals_allowed():  # not while the mutex is taken, or it could stay so for ever
                pass

    def _stand_in_line(self, deadline: float | None) -> None:
        waiter = self._waiter
        if waiter is None or not waiter.adopt():
            with explained("lock", self._queue_path):
                self._queue = fd = _open(self._queue_path)
                if _lock_now(fd):
                    return
                if deadline is None:
                    self._block(fd)
                    return
            self._queue = None
            self._waiter = waiter = Waiter(fd)
        try:
            with signals_allowed(), explained("lock", self._queue_path):
                came = self._patient(waiter.wait, deadline)
        except BaseException:
            waiter.abandon()
            raise
        if not came:
            waiter.abandon()
            self._give_up()
        self._queue, self._waiter = waiter.fd, None

    def _block(self, fd: int) -> None:
        """Wait in the kernel, which costs no thread; a herald says for whom."""
        if self._wait_logger is None:
            self._wait_logger = WaitLogger(self._say, lambda: _SAY_EVERY)
        with self._wait_logger, signals_allowed():
            fcntl.flock(fd, fcntl.LOCK_EX)

    def _is_current(self) -> bool:
        """Whether the files that are locked are still the ones that others would lock."""
        try:
            return all(
                fd is not None and os.path.samestat(os.fstat(fd), os.lstat(path))
                for fd, path in ((self._queue, self._queue_path), (self._inner, self._lock_path))
            )
        except FileNotFoundError:  # a deleted directory: opening anew says so
            return False

    def _leave_line(self) -> None:
        held = (self._inner, self._queue)
        self._inner = self._queue = None
        for fd in held:
            if fd is not None:
                with suppress(OSError):
                    unlock_and_close(fd)

    def _sign(self) -> None:
        if self._queue is not None:
            line = f"{int(time.time())} {self._name}".encode()[:_NAME_BYTES].ljust(_NAME_BYTES)
            with suppress(OSError):  # only a courtesy to those who wait
                os.pwrite(self._queue, line + b"\n", 0)

    def _take(self, deadline: float | None) -> None:
        with explained("lock", self._lock_path):
            self._inner = fd = _open(self._lock_path)
        self._lock_file(fd, self._lock_path, deadline)

    def _lock_file(self, fd: int, path: str, deadline: float | None) -> None:
        with explained("lock", path):
            from filelock import lock_descriptor  # costs 70 ms to import: only with a directory

            def attempt(seconds: float) -> bool:
                end = time.monotonic() + seconds
                while not lock_descriptor(fd, blocking=False):
                    if time.monotonic() >= end:
                        return False
                    with signals_allowed():
                        time.sleep(0.001)
                return True

            if not self._patient(attempt, deadline):
                self._give_up()

    def _patient(self, attempt: Callable[[float], bool], deadline: float | None) -> bool:
        """Try in rounds of 10 s, naming the holder after each."""
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if attempt(_SAY_EVERY if left is None else max(0.0, min(left, _SAY_EVERY))):
                return True
            if left is not None and left <= _SAY_EVERY:
                return False
            self._say()

    def _say(self) -> None:
        log.warning("Waiting for the lock of %s, held by %s.", self.folder, self.holder())

    def _give_up(self) -> NoReturn:
        raise LockTimeout(
            f"The lock of {str(self.folder)!r} is held by {self.holder()}. Retry, or see whether that "
            "process is stopped; hoptim never takes a lock away from a living process."
        )

    def holder(self) -> str:
        """Who entered last, as that process wrote it."""
        try:
            text = read_front(Path(self._queue_path), _NAME_BYTES).decode(errors="replace")
            since, _, name = text.strip().partition(" ")
            return f"{name} since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(int(since)))}"
        except (OSError, ValueError, OverflowError):
            return "an unknown process"


def _open(path: str) -> int:
    end = time.monotonic() + _SHARED_WITHIN
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return create(path)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)


def _lock_now(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock_and_close(fd: int) -> None:
    """Let go of a file's lock, and close the file; raise `OSError` if that fails."""
    _held.discard(fd)
    with suppress(OSError):  # closing alone would not do while a foreign child has a copy
        fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


_registry: dict[tuple[int, str], StudyLock] = {}
_held: set[int] = set()  # of `lock_file`
_registry_guard = threading.Lock()


def _after_fork() -> None:
    """In a child: the parent's locks are not ours, and its queue descriptors must not outlive it."""
    global _registry_guard
    _registry_guard = threading.Lock()
    queued = [lock._waiter.fd for lock in _registry.values() if lock._waiter is not None]
    locked = [fd for lock in _registry.values() for fd in (lock._inner, lock._queue)]
    for fd in (*_held, *queued, *locked):
        if fd is not None and fd >= 0:
            with suppress(OSError):
                os.close(fd)
    _held.clear()
    _registry.clear()


os.register_at_fork(after_in_child=_after_fork)
