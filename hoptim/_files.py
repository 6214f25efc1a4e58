"""File calls that say which path failed and why, and leave nothing half done."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from hoptim.errors import HoptimError, StoreError


class explained:
    """Turns an `OSError` into a `StoreError` that names what was tried, where, and the cause.

    Args:
        doing: Action that is tried, to be read behind 'Could not'.
        path: File or folder that it is tried on.
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


def close_read(fd: int) -> None:
    """Close what was only read; an error then says nothing about what was read."""
    with suppress(OSError):
        os.close(fd)


def is_there(path: str | os.PathLike[str]) -> bool:
    """Return whether something is at a path, as `os.path.lexists`; an error is raised, not taken for no."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def shared_bits(folder: str | os.PathLike[str] | int) -> int:
    """Return the mode bits of a shared folder that go to what is made in it; 0 when it is not shared."""
    mode = os.stat(folder).st_mode
    return mode & (stat.S_IRWXG | stat.S_ISGID) if mode & stat.S_IWGRP else 0


def share(fd: int, bits: int) -> None:
    """Give the group the rights that `shared_bits` found on the folder above, whatever the umask says.

    Args:
        fd: Descriptor of a file or folder: another one may have its name by now.
        bits: Mode bits.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISDIR(mode):
        bits &= stat.S_IRGRP | stat.S_IWGRP
    if bits & ~mode:
        os.fchmod(fd, stat.S_IMODE(mode) | bits)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all bytes at an offset; a short write is continued."""
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def create(path: str | os.PathLike[str], flags: int = os.O_RDWR) -> int:
    """Open a file that must not exist yet, as shared as its folder is."""
    fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        share(fd, shared_bits(os.path.dirname(path) or "."))
    except BaseException:
        close_read(fd)
        with suppress(OSError):
            os.unlink(path)
        raise
    return fd


def write_new(path: Path, data: bytes, durable: bool = True) -> None:
    """Create a file that must not exist yet.

    Args:
        path: File to create.
        data: Its contents.
        durable: True if it is to survive a power cut once this returns. Default: True.
    """
    fd = create(path)
    try:
        write_all(fd, data, 0)
        if durable:
            flush(fd)
        os.close(fd)
    except BaseException:
        close_read(fd)
        with suppress(OSError):
            path.unlink()
        raise


def replace_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file in one step, so that half of it is never seen; a link to a file stays a link.

    Args:
        path: File to create or replace. A pipe or a device, which nothing may replace, is written to.
        data: Its new contents, durable before they take the name.

    Raises:
        StoreError: The file cannot be written; what was there is unchanged.
    """
    with explained("write", path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        draft = target.with_name(f".{os.urandom(6).hex()}.tmp")  # no longer than any name may be
        write_new(draft, data)
        try:
            os.replace(draft, target)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise


def open_regular(path: str | os.PathLike[str], flags: int) -> int:
    """Open a regular file that is no link; never waits, whatever is there."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
    except BaseException:
        close_read(fd)
        raise
    return fd


def read_front(path: Path, limit: int) -> bytes:
    """Return the first bytes of a regular file that is no link, at most `limit`."""
    fd = open_regular(path, os.O_RDONLY)
    try:
        data = b""
        while len(data) < limit and (part := os.read(fd, limit - len(data))):
            data += part
        return data
    finally:
        close_read(fd)


def make_folder(path: Path, parents: bool = False) -> None:
    """Make a folder, no link, if it is not there; its name is durable when this returns."""
    if not is_folder(path):
        if parents:
            make_folder(path.parent, parents)
        path.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a parent that may be entered but not read
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                share(fd, shared_bits(path.parent))
            finally:
                close_read(fd)
            sync(path.parent)


def is_folder(path: Path) -> bool:
    """Return whether a folder is there; raise `OSError` for a link or file, which leads elsewhere."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory, but a link or file")
    return True
