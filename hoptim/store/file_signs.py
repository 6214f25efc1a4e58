"""Signs of life in a folder: files whose time stamps move."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from hoptim._files import explained, is_folder, is_there, make_folder, read_front, write_new
from hoptim.store.signs import Sign
from hoptim.store.tree import opened

_LONGEST = 4096  # bytes of a file


class FileSigns:
    """A folder of a study's directory with a file for each sign.

    Args:
        folder: The folder, made when the first sign is shown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def show(self, names: Sequence[str], about: bytes) -> None:
        """Implement `Signs.show`."""
        with explained("write", self._folder):
            make_folder(self._folder)
            for name in names:
                write_new(self._folder / name, about, durable=False)  # a power cut ends its process, too

    def hide(self, names: Collection[str]) -> None:
        """Implement `Signs.hide`."""
        with suppress(OSError), opened(self._folder) as folder:
            for name in names:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)

    def beat(self, names: Collection[str]) -> int:
        """Implement `Signs.beat`; what cannot be written does not keep the others from beating."""
        there, failed = len(names), None
        for name in names:
            try:
                os.utime(f"{self._folder}/{name}", follow_symlinks=False)
            except FileNotFoundError:
                there -= 1
            except OSError as error:
                failed = error
        if failed is not None:
            with explained("write", self._folder):
                raise failed
        return there

    def is_shown(self, name: str) -> bool:
        """Implement `Signs.is_shown`."""
        with explained("look at", self._folder / name):
            return is_there(self._folder / name)

    def look(self, name: str) -> Sign | None:
        """Implement `Signs.look`."""
        path = self._folder / name
        with explained("read", path):
            try:
                about, status = read_front(path, _LONGEST), path.lstat()
            except FileNotFoundError:
                return None
        stamp = status.st_ino, status.st_mtime_ns
        return Sign(about, stamp, max(0.0, time.time() - status.st_mtime))

    def looks(self, names: Collection[str]) -> dict[str, Sign]:
        """Implement `Signs.looks`."""
        found = {}
        for name in names:
            with suppress(OSError):
                if (sign := self.look(name)) is not None:
                    found[name] = sign
        return found

    def names(self) -> list[str]:
        """Implement `Signs.names`; over NFS a look-up may miss a new folder, a listing does not."""
        with explained("read", self._folder):
            if is_folder(self._folder) or self._folder.name in os.listdir(self._folder.parent):
                return os.listdir(self._folder)
        return []
