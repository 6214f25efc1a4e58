"""What a worker saw, noted so that nothing of it is lost with the worker."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hoptim.store.liveness import Watch
from tests.place import Database, Directory


class Notes:
    """What a worker saw, one line at a time, each whole whenever the worker is killed."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, *fields: object) -> None:
        os.write(self._fd, json.dumps(fields).encode() + b"\n")

    @staticmethod
    def read(path: Path) -> list[list[Any]]:
        """All lines of one worker."""
        return [json.loads(line) for line in path.read_text().splitlines()]


def observe(note: Notes, place: Directory) -> None:
    """Note when this process gave a sign of life, and when it took another for dead."""
    dead = Watch.dead

    def noted_dead(self: Watch, names: Collection[str]) -> list[str]:
        began = time.time()
        found = dead(self, names)
        for name in found:
            note("dead", name, began, time.time())
        return found

    Watch.dead = noted_dead  # type: ignore[method-assign]
    (observe_rows if isinstance(place, Database) else observe_files)(note)


def observe_files(note: Notes) -> None:
    """Note when this process gave a sign of life in a directory."""
    utime = os.utime

    def noted_utime(path: Any, *arguments: Any, **named: Any) -> None:
        began = time.time()
        utime(path, *arguments, **named)
        note("beat", Path(path).name, began, time.time())

    os.utime = noted_utime


def observe_rows(note: Notes) -> None:
    """Note when this process gave a sign of life in a database.

    A beat leaves out a row that another process is just taking away, so each is looked at behind it.
    """
    from hoptim.store.postgres.signs import PostgresSigns

    beat = PostgresSigns.beat

    def noted_beat(self: PostgresSigns, names: Collection[str]) -> int:
        began = time.time()
        shown = beat(self, names)
        for name in names:
            sign, ended = self.look(name), time.time()
            if sign is not None and sign.silent < ended - began:
                note("beat", name, began, ended)
        return shown

    PostgresSigns.beat = noted_beat  # type: ignore[method-assign]
