"""The copies on this machine of a study's checkpoints, shared by its processes and bounded in bytes."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from hoptim._files import close_read, explained, is_folder, make_folder
from hoptim.store.layout import is_hidden_name
from hoptim.store.published import Published
from hoptim.store.tree import Extent, measure, opened, remove

LIMIT = 10_000_000_000  # bytes
_SPARED = 4  # part of the limit that is made free at once, so that it is seldom looked for
_PROCESSES = 64  # as many may share the rest before one of them looks again
_LOCK = ".lock"  # behind a checkpoint's name: who uses it has a shared lock of that file


class Cache:
    """A folder with copies of checkpoints, of which those go that were not used for longest.

    `<name>` is a copy, whole; `.<name>-<8 hex digits>` one that is being downloaded; `<name>.lock` is
    locked by all that use either, and its time is that of the last use. Copies in use stay, even if there
    are more bytes than the limit.

    To look at all copies takes long where there are many. So a process first adds its part of what was left
    when it last looked.

    Args:
        folder: The folder, made when first needed.
        limit: Bytes that the copies may take. Default: 10 GB.

    Attributes:
        folder: The folder.
        is_over: True once the study needs no copies any more.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder, self._limit = folder, LIMIT if limit is None else limit
        self._left = 0  # bytes that this process may add without looking again
        self.is_over = False

    @classmethod
    def default_folder(cls, uuid: str) -> Path:
        """Return the folder of a study's cache, `~/.cache/hoptim/<uuid>` or below `XDG_CACHE_HOME`."""
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        return Path(os.path.abspath(base), "hoptim", uuid)

    def path(self, name: str) -> Path:
        """Return the path of a copy, there or not."""
        return self.folder / name

    def use(self, name: str) -> int:
        """Begin to use a copy, or to make it: it stays until the returned descriptor is closed."""
        with explained("lock in", self.folder):
            make_folder(self.folder, parents=True)
            fd = self._locked(name, fcntl.LOCK_SH)
            os.utime(fd)
        return fd

    def has(self, published: Published) -> bool:
        """Return whether there is a copy, as large as was published; any other is removed.

        Only while it is in use.
        """
        with explained("look at", self.path(published.name)), opened(self.folder) as folder:
            try:
                found = measure(published.name, folder, fresh=True)
            except FileNotFoundError:
                return False
            if found == Extent(published.size or 0, published.files or 0):
                return True
            remove(published.name, folder)
        return False

    def keep(self, name: str, source: Path) -> None:
        """Move a file or folder of the same file system here; only while its name is in use."""
        with explained("move", source):
            os.rename(source, self.path(name))

    def remove(self, name: str) -> None:
        """Remove a copy, unless it is in use; then it goes when there has to be room."""
        if is_folder(self.folder):
            with suppress(OSError), opened(self.folder) as folder:
                self._removed(name, name, folder)

    def make_room(self, size: int) -> None:
        """Remove what was not used for longest until there is room; downloads of killed processes first.

        Args:
            size: Bytes that will be added.
        """
        if size > self._left:
            self._left = max(0, self._look(size)) // _PROCESSES
        else:
            self._left -= size

    def close(self) -> None:
        """Remove all copies that nobody uses if the study is over, when this process needs none itself."""
        if self.is_over:
            with suppress(OSError):
                self._look(self._limit + 1)

    def _look(self, size: int) -> int:
        """Make room for some bytes, and return how many there are left then, below 0 for too many."""
        with explained("make room in", self.folder), opened(self.folder) as folder:
            names = os.listdir(folder)
            for part in names:
                name = part[1:].rpartition("-")[0]
                if name and is_hidden_name(part, name):
                    self._removed(name, part, folder)
            locks = [name for name in names if name.endswith(_LOCK)]
            used = {name.removesuffix(_LOCK): _time(name, folder) for name in locks}
            sizes = {name: _size(name, folder) for name in used}
            left = self._limit - sum(sizes.values()) - size
            wanted = max(0, self._limit // _SPARED - size) if left < 0 else 0
            for name in sorted(used, key=used.__getitem__):
                if left < wanted and self._removed(name, name, folder):
                    left += sizes[name]
        return left

    def _removed(self, name: str, what: str, folder: int) -> bool:
        """Remove a copy, or a download of it that was broken off; return False if it is in use."""
        try:
            fd = self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            remove(what, folder)
            if not os.path.lexists(self.path(name)):
                os.unlink(name + _LOCK, dir_fd=folder)
        finally:
            close_read(fd)
        return True

    def _locked(self, name: str, how: int) -> int:
        """Return the lock file of a copy, open and locked."""
        path = f"{self.path(name)}{_LOCK}"
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(fd, how)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), os.lstat(path)):
                        return fd
            except BaseException:
                close_read(fd)
                raise
            close_read(fd)  # removed meanwhile, with the copy: others lock another file


def _size(name: str, folder: int) -> int:
    with suppress(FileNotFoundError):
        return measure(name, folder).size
    return 0


def _time(name: str, folder: int) -> int:
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns
    return 0
