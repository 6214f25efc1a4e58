"""The folder of a study's checkpoints, whose names change through a descriptor."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path

from hoptim._files import close_read, explained, flush, make_folder, sync
from hoptim.store.layout import CHECKPOINTS, TRASH, hidden_name
from hoptim.store.tree import remove, try_to_remove


class CheckpointFolder:
    """The folder `checkpoints` of a study, with what happens to a name in it.

    It is used through a descriptor: should the directory be deleted and made anew by another study, a
    worker of this one writes to the deleted folder and nowhere else.

    Args:
        study: The study's directory; None makes a temporary one that goes with this object.
    """

    def __init__(self, study: Path | None) -> None:
        self.durable = study is not None
        self._study, self._fd = study, -1

    @property
    def unused(self) -> bool:
        """Return whether this is of a study in memory that has needed no file yet."""
        return self._study is None

    @property
    def study(self) -> Path:
        """Return the study's directory, a temporary one made when first asked for."""
        if self._study is None:
            import tempfile

            self._study = Path(tempfile.mkdtemp(prefix="hoptim-"))
            weakref.finalize(self, _remove_own, self._study, os.getpid())
        return self._study

    @property
    def path(self) -> Path:
        """Return where the folder is, though it may not be there yet."""
        return self.study / CHECKPOINTS

    @property
    def fd(self) -> int:
        """Return the open folder, made when first asked for."""
        if self._fd < 0:
            folder = self.made(CHECKPOINTS)
            with explained("open", folder):
                if self.durable:
                    sync(folder.parent)  # whoever made it may have died before its name was durable
                self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            weakref.finalize(self, close_read, self._fd)
        return self._fd

    def made(self, name: str) -> Path:
        """Return a folder of the study's directory, made if it is not there."""
        folder = self.study / name
        with explained("make", folder):
            make_folder(folder)
        return folder

    def names(self) -> list[str]:
        """List what is there, private names too."""
        return os.listdir(self.fd)

    def mode(self, name: str) -> int:
        """Return the mode of what has a name, 0 where nothing has."""
        with suppress(FileNotFoundError):
            return os.lstat(name, dir_fd=self.fd).st_mode
        return 0

    def rename(self, old: str, new: str) -> None:
        """Give what has a name another one."""
        os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Remove what has a private name, or as much of it as can be removed; nothing there is fine."""
        try_to_remove(self.path / name, self.fd)

    def discard(self, name: str) -> None:
        """Rename to a trash name, then remove, so that a reader sees all or nothing."""
        trash = hidden_name(f"{TRASH}{name}")
        try:
            self.rename(name, trash)
        except FileNotFoundError:
            return
        self.remove(trash)

    def flush(self) -> None:
        """Make the names durable, unless the study is in memory."""
        if self.durable:
            flush(self.fd)


def _remove_own(folder: Path, pid: int) -> None:
    if pid == os.getpid():  # a forked child that ends must not take its parent's folder along
        remove(folder)
