"""A study's directory, in which all of it is: the backend for one machine, or several that share a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from hoptim._files import explained, is_folder, make_folder, open_regular, read_front, write_new
from hoptim.store import study_file
from hoptim.store.backend import Backend, CopyDraft, Records
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.differences import require_bucket
from hoptim.store.file_signs import FileSigns
from hoptim.store.journal import FileJournal
from hoptim.store.layout import BUCKET, CHECKPOINTS, JOURNAL, ORIGIN, SCRATCH, STUDY, TRASH, WORKERS
from hoptim.store.shape import StudyShape
from hoptim.store.snapshot import Snapshots
from hoptim.store.storage import Storage, storage_of
from hoptim.store.study_draft import StudyDraft
from hoptim.store.study_settings import LONGEST, Begin, StudyFile

_URL = 4096  # bytes of a URL


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

    def storage(self, uuid: str) -> Storage:
        """Implement `Backend.storage`."""
        return storage_of(self.folder, uuid, self.bucket)

    def settings(self) -> bytes:
        """Implement `Backend.settings`."""
        with explained("read", self.folder / STUDY):
            return read_front(self.folder / STUDY, LONGEST)

    def lines(self, count: int | None = None) -> Iterator[bytes]:
        """Implement `Backend.lines`."""
        path = self.folder / JOURNAL
        with explained("read", path), open(open_regular(path, os.O_RDONLY), "rb") as file:
            yield from islice(file, count)

    @contextmanager
    def draft(self) -> Iterator[CopyDraft]:
        """Implement `Backend.draft`."""
        with StudyDraft(self.folder) as draft:
            yield _Draft(draft, self._asked)
            draft.commit()

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
                return read_front(self.folder / BUCKET, _URL).decode(errors="replace").strip() or None
            except FileNotFoundError:
                return None


class _Draft:
    """Copy of a study in a hidden folder.

    Args:
        draft: The folder.
        bucket: URL of the object storage for the checkpoints, None for the folder.
    """

    def __init__(self, draft: StudyDraft, bucket: str | None) -> None:
        self._draft, self._bucket = draft, bucket

    def checkpoints(self, uuid: str) -> Checkpoints:
        """Implement `CopyDraft.checkpoints`."""
        return storage_of(self._draft.folder, uuid, self._bucket).checkpoints

    def transcribe(self, source: Backend, count: int) -> None:
        """Implement `CopyDraft.transcribe`."""
        with explained("make", self._draft.folder):
            make_folder(self._draft.folder / WORKERS)
            if self._bucket is not None:
                write_new(self._draft.folder / BUCKET, f"{self._bucket}\n".encode())
        self._draft.transcribe(source, count)


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inner, name)).st_size
    return total
