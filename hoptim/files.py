"""File calls that say which path failed and why, and leave nothing half done."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from hoptim.errors import HoptimError, StoreError


class explained:
    """Turns an `OSError` into a `StoreError` that names what was tried, where, and the cause.

    Args:
        doing: What is tried, to be read behind 'Could not'.
        path: Where.
    """

    __slots__ = ("_doing", "_path")

    def __init__(self, doing: str, path: str | os.PathLike[str]) -> None:
        self._doing, self._path = doing, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, HoptimError):
            message = (
                f"Could not {self._doing} {os.fspath(self._path)!r}: {error.strerror or error}. Nothing "
                "that was acknowledged is lost; cure the cause and run the same call again."
            )
            raise StoreError(error.errno, message) from error


def flush(fd: int) -> None:
    """Make what was written to an open file survive a power cut."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync alone stops at the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync(path: str | os.PathLike[str]) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        flush(fd)
    finally:
        os.close(fd)


def sync_tree(path: Path) -> None:
    """Make a file, or a folder with all that is in it, survive a power cut."""
    if path.is_dir():
        for folder, _, names in os.walk(path, topdown=False):
            for name in names:
                inner = os.path.join(folder, name)
                if not os.path.islink(inner):
                    sync(inner)
            sync(folder)
    else:
        sync(path)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all bytes at an offset; a short write is continued."""
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def write_new(path: Path, data: bytes) -> None:
    """Create a file that must not exist yet, durable when this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, data, 0)
        flush(fd)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(fd)


def read_regular(path: Path, limit: int = 1 << 20) -> bytes:
    """The bytes of a regular file that is no link and no larger than `limit`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise OSError(f"not a regular file of at most {limit} bytes")
        return os.read(fd, limit)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Make a folder if it is not there; its name is durable when this returns."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # a parent that may be entered but not read
            sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, whatever is there; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        import shutil  # seldom needed, and slow to import

        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
