"""Room set aside for a full disk, so that what frees space can still be recorded."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hoptim._files import write_new
from hoptim.store.layout import RESERVE

_SIZE = 1 << 16  # bytes; more than the records of a tell and its drops ever take


class Reserve:
    """The file `reserve` of a study.

    A checkpoint that fills the disk leaves no room for the record that ends its trial, and so none
    for dropping older ones. Giving this file up makes that room; it is made again when there is more.

    Args:
        folder: Directory of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESERVE
        self._stocked = False  # as far as this process knows

    def give_up(self) -> bool:
        """Free the room, only under the lock; return whether there was any."""
        try:
            os.unlink(self._path)
        except OSError:
            return False
        self._stocked = False
        return True

    def restock(self) -> None:
        """Set the room aside unless it is, only under the lock; a disk that is too full is fine."""
        if not self._stocked:
            with suppress(OSError):
                if not os.path.lexists(self._path):
                    # Random bytes, since a file system that packs zeros would set nothing aside.
                    write_new(self._path, os.urandom(_SIZE))
                self._stocked = True
