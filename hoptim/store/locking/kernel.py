"""Kernel locks on open files: taking one, letting go, and what a forked child must not keep."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from hoptim._files import create
from hoptim._signals import signals_allowed

_SHARED_WITHIN = 1.0  # seconds; in a group, whoever makes a file shares it a moment later

held: set[int] = set()  # descriptors whose locks end with a hold; a forked child closes them


def open_shared(path: str) -> int:
    """Open a file for a lock, make it if it is not there, and wait a moment if it is not shared yet."""
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


def try_lock(fd: int) -> bool:
    """Lock a file if it is free; return whether it was."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def poll_lock(fd: int, seconds: float) -> bool:
    """Lock a file through filelock, trying for some seconds; return whether it worked.

    Args:
        fd: Descriptor of the file.
        seconds: Time to try; signals act between tries.
    """
    lock_descriptor = _lock_descriptor()
    end = time.monotonic() + seconds
    while not lock_descriptor(fd, blocking=False):
        if time.monotonic() >= end:
            return False
        with signals_allowed():
            time.sleep(0.001)
    return True


@cache
def _lock_descriptor() -> Callable[..., bool]:
    from filelock import lock_descriptor  # costs 70 ms to import: only with a directory

    return lock_descriptor


def is_at(fd: int | None, path: str) -> bool:
    """Return whether an open file is the one at a path; it is not if the directory was made anew."""
    try:
        return fd is not None and os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def unlock_and_close(fd: int) -> None:
    """Let go of a file's lock, and close the file; raise `OSError` if that fails."""
    held.discard(fd)
    with suppress(OSError):  # closing alone would not do while a foreign child has a copy
        fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def close_quietly(fd: int | None) -> None:
    """Close what a forked child has of its parent, whose lock would otherwise outlive the parent."""
    if fd is not None and fd >= 0:
        with suppress(OSError):
            os.close(fd)
