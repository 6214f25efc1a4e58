"""The lock of a study: a fair queue in front of one kernel lock, never stolen, never unlinked."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from hoptim.errors import LockTimeout, OptimizerError
from hoptim.files import explained

log = logging.getLogger("hoptim")

_SAY_EVERY = 10.0  # seconds between two words about a lock that stays taken
_NAME_BYTES = 120
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class StudyLock:
    """Mutual exclusion between threads and processes, on any machine that shares the folder.

    Waiters stand in line in a blocking `flock` on `queue`, because polling starves them; the head
    of the line then takes `lock` through filelock, by the kernel's lock alone: the file stays, no
    age counts, and a file system without locks is an error. The holder's name is in `queue`
    meanwhile. One object serves a process and folder, see `of`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._queue_path, self._lock_path = str(folder / "queue"), str(folder / "lock")
        self.mutex = threading.RLock()
        self._queue: int | None = None
        self._waiter: _Waiter | None = None
        self._inner: int | None = None
        self._name = f"process {os.getpid()} on {os.uname().nodename}"[: _NAME_BYTES - 40]

    @staticmethod
    def of(folder: Path) -> StudyLock:
        """The one object for this process and folder; a forked child makes its own."""
        key = (os.getpid(), os.path.realpath(folder))
        with _registry_guard:
            return _registry.setdefault(key, StudyLock(folder))

    def acquire(self, timeout: float | None) -> None:
        """Enter.

        Args:
            timeout: Seconds to wait at most; None waits on, with a warning every 10 s.

        Raises:
            LockTimeout: Still taken after `timeout`; names the holder.
            StoreError: The lock files cannot be opened.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self.mutex.acquire(timeout=-1 if timeout is None else timeout):
            raise LockTimeout(f"Another thread kept the study {str(self.folder)!r} for {timeout} s.")
        if self._queue is not None:
            self.mutex.release()
            raise OptimizerError("An optimizer or keep= called the study that was asking it.")
        try:
            self._stand_in_line(deadline)
            self._take(deadline)
            self._sign()
        except BaseException:
            self._leave_line()
            self.mutex.release()
            raise

    def release(self) -> None:
        """Leave; the next in line enters."""
        self._leave_line()
        self.mutex.release()

    def _stand_in_line(self, deadline: float | None) -> None:
        waiter = self._waiter
        if waiter is None or not waiter.adopt():
            with explained("open", self._queue_path):
                self._queue = fd = os.open(self._queue_path, _FLAGS, 0o666)
                if _lock_now(fd):
                    return
            self._queue = None
            self._waiter = waiter = _Waiter(fd)
        try:
            came = self._patient(waiter.wait, deadline)
        except BaseException:
            waiter.abandon()
            raise
        if not came:
            waiter.abandon()
            self._give_up()
        self._queue, self._waiter = waiter.fd, None

    def _leave_line(self) -> None:
        held = (self._inner, self._queue)
        self._inner = self._queue = None
        for fd in held:
            if fd is not None:
                with suppress(OSError):  # closing alone would not do while a foreign child has a copy
                    fcntl.flock(fd, fcntl.LOCK_UN)
                with suppress(OSError):
                    os.close(fd)

    def _sign(self) -> None:
        if self._queue is not None:
            line = f"{int(time.time())} {self._name}".encode()[:_NAME_BYTES].ljust(_NAME_BYTES)
            with suppress(OSError):  # only a courtesy to those who wait
                os.pwrite(self._queue, line + b"\n", 0)

    def _take(self, deadline: float | None) -> None:
        from filelock import lock_descriptor  # costs 70 ms to import: only with a directory

        with explained("lock", self._lock_path):
            self._inner = fd = os.open(self._lock_path, _FLAGS, 0o666)

            def attempt(seconds: float) -> bool:
                end = time.monotonic() + seconds
                while not lock_descriptor(fd, blocking=False):
                    if time.monotonic() >= end:
                        return False
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
            log.warning("Waiting for the lock of %s, held by %s.", self.folder, self.holder())

    def _give_up(self) -> NoReturn:
        raise LockTimeout(
            f"The lock of {str(self.folder)!r} is held by {self.holder()}. Retry, or see whether that "
            "process is stopped; hoptim never takes a lock away from a living process."
        )

    def holder(self) -> str:
        """Who entered last, as that process wrote it."""
        try:
            text = Path(self._queue_path).read_bytes()[:_NAME_BYTES].decode(errors="replace")
            since, _, name = text.strip().partition(" ")
            return f"{name} since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(int(since)))}"
        except (OSError, ValueError, OverflowError):
            return "an unknown process"


def _lock_now(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Waiter:
    """A thread that blocks in `flock`, so that the one who waits can stop waiting."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._guard = threading.Lock()
        self._got = threading.Event()
        self._abandoned = False
        threading.Thread(target=self._run, daemon=True, name="hoptim-queue").start()

    def _run(self) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        finally:
            with self._guard:
                self._got.set()
                self._close_if_abandoned()

    def _close_if_abandoned(self) -> None:
        if self._abandoned and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1  # the number may be somebody else's from now on

    def wait(self, seconds: float) -> bool:
        """Whether the lock came within some seconds."""
        return self._got.wait(seconds)

    def abandon(self) -> None:
        """Stop waiting; the thread lets go of the lock should it still come."""
        with self._guard:
            self._abandoned = True
            if self._got.is_set():
                self._close_if_abandoned()

    def adopt(self) -> bool:
        """Wait again, at the old place in the line; False when it came and went."""
        with self._guard:
            self._abandoned = self._got.is_set()
            return not self._abandoned


_registry: dict[tuple[int, str], StudyLock] = {}
_registry_guard = threading.Lock()


def _after_fork() -> None:
    """In a child: the parent's locks are not ours, and its queue descriptors must not outlive it."""
    global _registry_guard
    _registry_guard = threading.Lock()
    for lock in _registry.values():
        for fd in (lock._inner, lock._queue, None if lock._waiter is None else lock._waiter.fd):
            if fd is not None and fd >= 0:
                os.close(fd)
    _registry.clear()


os.register_at_fork(after_in_child=_after_fork)
