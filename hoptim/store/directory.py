"""A study's directory, in which all of it is: the backend for one machine, or several that share a disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._files import explained, is_folder
from hoptim.store import study_file
from hoptim.store.backend import Records
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.file_signs import FileSigns
from hoptim.store.journal import FileJournal
from hoptim.store.layout import CHECKPOINTS, JOURNAL, ORIGIN, SCRATCH, TRASH
from hoptim.store.orphans import Orphans
from hoptim.store.shape import StudyShape
from hoptim.store.snapshot import Snapshots
from hoptim.store.study_file import Begin, StudyFile


class Directory:
    """The backend that is a directory.

    Args:
        folder: The directory, which need not exist yet.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.
    """

    def __init__(self, folder: Path, single_host: bool = False) -> None:
        self.folder = folder
        self._single_host = single_host

    @property
    def path(self) -> str:
        """Implement `Backend.path`."""
        return str(self.folder)

    @property
    def key(self) -> str:
        """Implement `Backend.key`."""
        return os.path.realpath(self.folder)

    @property
    def origin(self) -> Directory | None:
        """Implement `Backend.origin`."""
        folder = self.folder / ORIGIN
        with explained("look at", folder):
            return Directory(folder) if is_folder(folder) else None

    @property
    def is_bereft(self) -> bool:
        """Implement `Backend.is_bereft`."""
        return study_file.is_bereft(self.folder)

    def read(self) -> StudyFile | None:
        """Implement `Backend.read`."""
        return study_file.read(self.folder)

    def create(self, identity: Mapping[str, Any], steps: int, begin: Begin | None) -> StudyFile:
        """Implement `Backend.create`."""
        return study_file.create(self.folder, identity, steps, self._single_host, begin)

    def records(self, uuid: str, shape: StudyShape) -> Records:
        """Implement `Backend.records`."""
        journal = FileJournal(self.folder, uuid, self._single_host)
        return Records(journal, Snapshots(journal, uuid, shape))

    def signs(self, kind: str) -> FileSigns:
        """Implement `Backend.signs`."""
        return FileSigns(self.folder / kind)

    def checkpoints(self, uuid: str) -> Checkpoints:
        """Implement `Backend.checkpoints`."""
        return Checkpoints(self.folder, uuid)

    def orphans(self, uuid: str) -> Orphans:
        """Implement `Backend.orphans`."""
        return Orphans(self.folder, uuid)

    def sizes(self) -> dict[str, int]:
        """Implement `Backend.sizes`."""
        found = {
            "journal": 0,
            "checkpoints": _size(self.folder / CHECKPOINTS),
            "scratch": _size(self.folder / SCRATCH),
        }
        with suppress(OSError):
            found["journal"] = (self.folder / JOURNAL).stat().st_size
        return found

    def unremoved(self) -> int:
        """Implement `Backend.unremoved`."""
        with suppress(OSError):
            return sum(name.startswith(f".{TRASH}") for name in os.listdir(self.folder / CHECKPOINTS))
        return 0


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inner, name)).st_size
    return total
