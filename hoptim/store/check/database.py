"""Check of a study in a database: what is there, written as a directory, is looked at as one."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from hoptim._files import explained, make_folder, write_new
from hoptim.errors import ArgumentError, StudyDamaged
from hoptim.store.backend import Backend
from hoptim.store.check.inspection import Inspection
from hoptim.store.check.report import Report
from hoptim.store.layout import BUCKET, PINS, WORKERS
from hoptim.store.signs import Signs
from hoptim.store.study_draft import transcribe


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
        return replace(Inspection(folder).look(), folder=backend.path)


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
