"""A study's directory, in which all of it is: the backend for one machine, or several that share a disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._files import explained, is_folder, make_folder, read_front, write_new
from hoptim.store import study_file
from hoptim.store.backend import Records
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.differences import require_bucket
from hoptim.store.file_signs import FileSigns
from hoptim.store.journal import FileJournal
from hoptim.store.layout import BUCKET, CHECKPOINTS, JOURNAL, ORIGIN, SCRATCH, TRASH
from hoptim.store.orphans import Orphans
from hoptim.store.shape import StudyShape
from hoptim.store.snapshot import Snapshots
from hoptim.store.study_file import Begin, StudyFile

_LONGEST = 4096  # bytes of a URL


class Directory:
    """The backend that is a directory.

    Args:
        folder: The directory, which need not exist yet.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.
        bucket: URL of the object storage for the checkpoints of a new study. Default: None, for the
            directory itself; the recorded one where there is a study.
    """

    def __init__(self, folder: Path, single_host: bool = False, bucket: str | None = None) -> None:
        self.folder = folder
        self._single_host, self._asked = single_host, bucket

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

    @property
    def bucket(self) -> str | None:
        """Implement `Backend.bucket`."""
        return self._recorded_bucket() or self._asked

    def read(self) -> StudyFile | None:
        """Implement `Backend.read`."""
        found = study_file.read(self.folder)
        if found is not None:
            require_bucket(self.path, self._recorded_bucket(), self._asked)
        return found

    def create(self, identity: Mapping[str, Any], steps: int, begin: Begin | None) -> StudyFile:
        """Implement `Backend.create`; what the study needs to find its checkpoints comes before it."""
        if self._asked is not None and not self.is_bereft:
            with explained("create the study", self.folder):
                make_folder(Path(os.path.realpath(self.folder)), parents=True)
                with suppress(FileExistsError):
                    write_new(self.folder / BUCKET, f"{self._asked}\n".encode())
        require_bucket(self.path, self._recorded_bucket(), self._asked)
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

    def _recorded_bucket(self) -> str | None:
        with explained("read", self.folder / BUCKET):
            try:
                return read_front(self.folder / BUCKET, _LONGEST).decode(errors="replace").strip() or None
            except FileNotFoundError:
                return None


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inner, name)).st_size
    return total
