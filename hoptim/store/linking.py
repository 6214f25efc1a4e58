"""Files and folders that two studies share: hard links, or copies where there are none."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from hoptim.store.tree import opened


def link_or_copy(source: str | Path, name: str, folder: int, link: bool = True) -> None:
    """Give a file or folder a second name; on another file system, copy it. Links in it stay links.

    A hard link shares the bytes, so what is written into a published file is written for both.

    Args:
        source: Path of a published checkpoint.
        name: Name that does not exist yet.
        folder: Descriptor of the folder that it will be in.
        link: True to link, False to copy in any case. Default: True.
    """
    source = Path(source)
    with opened(source.parent) as parent:
        _give(source.name, parent, name, folder, link)


def _give(source: str, parent: int, name: str, folder: int, link: bool) -> None:
    mode = os.lstat(source, dir_fd=parent).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source, dir_fd=parent), name, dir_fd=folder)
    elif stat.S_ISDIR(mode):
        os.mkdir(name, dir_fd=folder)
        with opened(source, parent) as old, opened(name, folder) as new:
            for each in os.listdir(old):
                _give(each, old, each, new, link)
            os.fchmod(new, stat.S_IMODE(os.fstat(old).st_mode))
    elif not (link and _linked(source, parent, name, folder)):
        _copy(source, parent, name, folder)


def _linked(source: str, parent: int, name: str, folder: int) -> bool:
    try:
        os.link(source, name, src_dir_fd=parent, dst_dir_fd=folder, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        with suppress(FileNotFoundError):  # made, and its outcome was not known
            os.unlink(name, dir_fd=folder)
        return False
    return True


def _copy(source: str, parent: int, name: str, folder: int) -> None:
    import shutil  # seldom needed, and slow to import

    with opened(source, parent) as old:
        new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
        with open(old, "rb", closefd=False) as reader, open(new, "wb") as writer:
            shutil.copyfileobj(reader, writer)
