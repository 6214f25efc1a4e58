"""Drafts of checkpoints made ready for their names: durable, shared, and leading nowhere else."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from hoptim._files import flush, share, shared_bits
from hoptim.errors import CheckpointError
from hoptim.store.layout import hidden_name
from hoptim.store.tree import DEEPEST, Extent, opened

_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def settle(name: str, folder: int, owner: str, durable: bool = True) -> Extent:
    """Make a draft ready for its name: durable, shared as its folder is, no link led through its old name.

    Args:
        name: File or folder.
        folder: Descriptor of the folder that it is in.
        owner: Words for errors that say whose draft it is.
        durable: True if it is to survive a power cut, and to be shared. Default: True.

    Returns:
        Size of what was settled.

    Raises:
        CheckpointError: It has a pipe, a socket or a device in it, or too many folders in folders.
    """
    return _Draft(name, folder, owner, durable).settle(name, folder, ())


class _Draft:
    """A file or folder that is being settled; see `settle`."""

    def __init__(self, name: str, folder: int, owner: str, durable: bool) -> None:
        self._owner, self._durable = owner, durable
        self._root, self._bits = os.lstat(name, dir_fd=folder), shared_bits(folder)

    def settle(self, name: str, folder: int, above: tuple[str, ...]) -> Extent:
        """Settle a part of the draft from the inside out; return its size.

        Args:
            name: File, folder or link.
            folder: Descriptor of the folder that it is in.
            above: Names of the folders from the draft down to it.
        """
        mode = os.lstat(name, dir_fd=folder).st_mode
        if stat.S_ISLNK(mode):
            self._relink(name, folder, len(above) - 1)
            return Extent(0, 1)
        self._require_plain(mode, (*above, name))
        with opened(name, folder) as fd:
            status = os.fstat(fd)
            self._require_plain(status.st_mode, (*above, name))  # another one may have its name now
            extent = Extent(status.st_size, 1)
            if stat.S_ISDIR(status.st_mode):
                inner = (self.settle(each, fd, (*above, name)) for each in os.listdir(fd))
                extent = sum(inner, Extent(0, 0))
            if self._durable:
                with suppress(PermissionError):  # not ours, so already as its owner wants it
                    share(fd, self._bits)
                flush(fd)
        return extent

    def _require_plain(self, mode: int, path: tuple[str, ...]) -> None:
        where = "/".join(path[1:]) or path[0]
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = _SPECIAL.get(stat.S_IFMT(mode), "a device")
            raise CheckpointError(
                f"{self._owner}: {where!r} in the checkpoint is {kind}; only files, folders and links can "
                "be published. The claim is kept; remove it and tell again."
            )
        if len(path) > DEEPEST:
            raise CheckpointError(
                f"{self._owner}: {where[:80]!r}... in the checkpoint is more than {DEEPEST} folders deep. "
                "The claim is kept; save fewer folders in folders and tell again."
            )

    def _relink(self, name: str, folder: int, depth: int) -> None:
        """Lead a link around the draft's own name, which is about to change."""
        target = os.readlink(name, dir_fd=folder)
        inside = self._inside(target, folder)
        if inside is None or (new := "../" * depth + inside or ".") == target:
            return
        fresh = hidden_name("link")
        os.symlink(new, fresh, dir_fd=folder)
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)

    def _inside(self, target: str, folder: int) -> str | None:
        """Return what of a link's text is behind the draft, None if the link does not lead through it."""
        parts = target.split("/")
        for count in range(len(parts), 0, -1):
            with suppress(OSError):
                passed = os.stat("/".join(parts[:count]) or "/", dir_fd=folder)
                if os.path.samestat(passed, self._root):
                    return "/".join(parts[count:])
        return None
