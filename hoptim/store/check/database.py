"""Check of a study in a database: what is there, written as a directory, is looked at as one."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from hoptim._files import explained, make_folder, write_new
from hoptim.errors import ArgumentError, StudyDamaged
from hoptim.store.backend import Backend
from hoptim.store.check.inspection import Inspection
from hoptim.store.check.report import Report
from hoptim.store.layout import BUCKET, JOURNAL, PINS, WORKERS
from hoptim.store.signs import Signs
from hoptim.store.study_draft import transcribe
from hoptim.store.study_settings import StudyFile


def check_database(backend: Backend) -> Report:
    """Look at everything; others may train meanwhile.

    Args:
        backend: Backend of a study that has no directory.

    Raises:
        ArgumentError: There is no study.
        StoreError: It cannot be read.
    """
    try:
        if backend.read() is None:
            raise ArgumentError(f"There is no study in {backend.path!r}.")
    except StudyDamaged:
        pass  # found again below
    with tempfile.TemporaryDirectory(prefix="hoptim-") as place, explained("write", place):
        folder = Path(place, "study")
        make_folder(folder)
        signs = {kind: _shown(backend.signs(kind)) for kind in (WORKERS, PINS)}  # before what they hold
        transcribe(backend, folder)
        for kind, shown in signs.items():
            _write(folder / kind, shown)
        if backend.bucket is not None:
            write_new(folder / BUCKET, f"{backend.bucket}\n".encode())
        return replace(_Inspection(folder, backend).look(), folder=backend.path)


class _Inspection(Inspection):
    """Looks at a copy of a study, to which is added what is recorded meanwhile.

    Args:
        folder: The copy.
        backend: Backend of the study.
    """

    def __init__(self, folder: Path, backend: Backend) -> None:
        super().__init__(folder)
        self._backend = backend

    def _read_on(self, settings: StudyFile) -> None:
        with (self._folder / JOURNAL).open("ab") as journal:
            journal.writelines(islice(self._backend.lines(), self.reading.records, None))
        super()._read_on(settings)


def _shown(signs: Signs) -> dict[str, tuple[bytes, float]]:
    """Return what each sign says, and the time of its last beat."""
    looks = {name: signs.look(name) for name in signs.names()}
    return {
        name: (look.about, time.time() - look.silent) for name, look in looks.items() if look is not None
    }


def _write(folder: Path, shown: dict[str, tuple[bytes, float]]) -> None:
    make_folder(folder)
    for name, (about, beat) in shown.items():
        write_new(folder / name, about, durable=False)
        os.utime(folder / name, (beat, beat))
