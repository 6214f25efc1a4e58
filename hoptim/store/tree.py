"""Trees of files in a study's directory: walked by descriptor, as others may swap a name for a link."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hoptim._files import close_read, flush, share, shared_bits

log = logging.getLogger("hoptim")

DEEPEST = 100  # folders in folders, each of which takes a descriptor


@dataclass(frozen=True)
class Extent:
    """Size of a file, or of a folder with all that is in it.

    Attributes:
        size: Bytes of all files.
        files: Number of files; a link is one of no bytes.
    """

    size: int
    files: int

    def __add__(self, other: Extent) -> Extent:
        return Extent(self.size + other.size, self.files + other.files)


@contextmanager
def opened(path: str | Path, folder: int | None = None) -> Iterator[int]:
    """Open a file or folder, no link, for the block; never waits, whatever is there.

    Args:
        path: File or folder.
        folder: Descriptor of the folder that it is in; None for a path of its own.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield fd
    finally:
        close_read(fd)


def make_folder_in(folder: int, name: str) -> None:
    """Make a folder, no link, in an open one if it is not there; its name is durable when this returns.

    Args:
        folder: Descriptor of the folder above.
        name: Name to give.
    """
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            return
        raise
    with opened(name, folder) as fd:
        share(fd, shared_bits(folder))
    flush(folder)


def measure(name: str, folder: int, fresh: bool = False) -> Extent:
    """Return the size of a file or folder, as `settle` finds it, and change nothing.

    Args:
        name: File or folder.
        folder: Descriptor of the folder that it is in.
        fresh: True to open each file: an NFS client may remember what a file was before it was whole,
            until it opens it. Default: False.
    """
    status = os.lstat(name, dir_fd=folder)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return Extent(0, 1)
    if stat.S_ISREG(status.st_mode) and not fresh:
        return Extent(status.st_size, 1)
    with opened(name, folder) as fd:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return sum((measure(each, fd, fresh) for each in os.listdir(fd)), Extent(0, 0))
        return Extent(status.st_size, 1)


def remove(path: str | Path, folder: int | None = None, depth: int = 0) -> None:
    """Remove a file, a link or a whole folder, whatever is there; nothing there is fine.

    Args:
        path: File, link or folder.
        folder: Descriptor of the folder that it is in; None for a path of its own.
        depth: Folders above that are being removed, too. Default: 0.

    Raises:
        OSError: Some of it cannot be removed; the rest is gone.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(path, dir_fd=folder).st_mode):
            os.unlink(path, dir_fd=folder)
            return
        if depth > DEEPEST:
            raise OSError(errno.ELOOP, f"More than {DEEPEST} folders deep")
        with opened(path, folder) as fd:
            _empty(fd, depth)
        os.rmdir(path, dir_fd=folder)


def try_to_remove(path: Path, folder: int | None = None) -> None:
    """Remove what is in a folder of the study; the rest is left for a later worker to find.

    Args:
        path: File or folder.
        folder: Descriptor of the folder that it is in. Default: None, which opens that; a link is refused.
    """
    try:
        if folder is not None:
            remove(path.name, folder)
        else:
            with opened(path.parent) as parent:
                remove(path.name, parent)
    except OSError as error:
        log.warning(
            "Could not remove all of %r: %s. Nothing needs it any more; the next worker that starts tries "
            "again. What stays belongs to another user, who may remove it.",
            str(path), error,
        )  # fmt: skip


def _empty(fd: int, depth: int) -> None:
    """Remove what is in a folder; one of our own that is read-only is made writable."""
    mode = os.fstat(fd).st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        with suppress(PermissionError):
            os.fchmod(fd, stat.S_IMODE(mode) | stat.S_IRWXU)
    failed = None
    for name in os.listdir(fd):
        try:
            remove(name, fd, depth + 1)
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed
