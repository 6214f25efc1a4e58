"""Where a study is that is tested, seen without hoptim: a directory, or a database and a bucket."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

_EVERY = 0.1  # seconds between two looks at how far a study in a database is
_STUDY = "study = (SELECT id FROM hoptim_study WHERE name = %s)"
_TELLS = f"""\
SELECT count(*) FILTER (WHERE line LIKE '%%"op":"tell"%%'), max(n) FROM hoptim_record
WHERE {_STUDY} AND n > %s"""
_HELD = """\
SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name LIKE %s"""


class Directory:
    """A study in a directory.

    Args:
        folder: Folder for all that belongs to the test, the study included.

    Attributes:
        folder: Folder for all that belongs to the test.
        path: What opens the study.
        bucket: URL of the place for its checkpoints; None for the directory.
        checkpoints: Folder with the published checkpoints.
    """

    bucket: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path: Path | str = folder / "study"
        self._offset = 0

    @property
    def checkpoints(self) -> Path:
        """Folder with the published checkpoints."""
        return self.folder / "study" / "checkpoints"

    def saved(self) -> set[str]:
        """Names of the published checkpoints."""
        return set(os.listdir(self.checkpoints)) if self.checkpoints.exists() else set()

    def journal(self) -> Path:
        """A file with the lines of all records so far."""
        return self.folder / "study" / "journal.jsonl"

    def new_tells(self) -> int:
        """How many tells there are that an earlier call did not count."""
        try:
            with self.journal().open("rb") as journal:
                journal.seek(self._offset)
                new = journal.read()
        except FileNotFoundError:
            return 0
        end = new.rfind(b"\n") + 1
        self._offset += end
        return new.count(b'"op":"tell"', 0, end)

    def signs(self) -> dict[str, dict[str, Any]]:
        """What workers say of themselves in their signs of life, by name."""
        return {
            path.name: json.loads(path.read_text()) for path in (self.folder / "study/workers").iterdir()
        }

    def is_held_by(self, pid: int) -> bool:
        """Whether a process has a lock of the study, so that all others wait for it."""
        try:
            own = {str((self.folder / "study" / name).stat().st_ino) for name in ("queue", "lock")}
            lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        except OSError:
            return False
        held = [line[5].rpartition(":")[2] for line in lines if line[1] != "->" and line[4] == str(pid)]
        return not own.isdisjoint(held)


class Database(Directory):
    """A study in PostgreSQL, with its checkpoints in a bucket that is a folder.

    Args:
        folder: Folder for all that belongs to the test.
        server: URL of the database.
    """

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder)
        self._server, self._study = server, f"chaos-{os.urandom(4).hex()}"
        self.path = f"{server}{'&' if '?' in server else '?'}study={self._study}"
        self.bucket = f"file://{folder.absolute()}/bucket"
        self._last, self._next = -1, 0.0

    @property
    def checkpoints(self) -> Path:
        """Folder with the published checkpoints; those of one study are in this bucket."""
        bucket = self.folder / "bucket"
        return next(bucket.iterdir(), bucket) if bucket.exists() else bucket

    def saved(self) -> set[str]:
        """Names of the published checkpoints; object storage knows no empty folders."""
        top = self.checkpoints
        return {
            str(Path(folder, name).relative_to(top).parts[0])
            for folder, _, names in os.walk(top)
            for name in names
        }

    def journal(self) -> Path:
        """A file with the lines of all records so far."""
        path = self.folder / "journal.jsonl"
        rows = self._rows(f"SELECT line FROM hoptim_record WHERE {_STUDY} ORDER BY n", self._study)
        path.write_text("".join(f"{line}\n" for (line,) in rows))
        return path

    def new_tells(self) -> int:
        """How many tells there are that an earlier call did not count; looked at now and then."""
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + _EVERY
        for tells, last in self._rows(_TELLS, self._study, self._last):
            self._last = self._last if last is None else last
            return int(tells)
        return 0

    def signs(self) -> dict[str, dict[str, Any]]:
        """What workers say of themselves in their signs of life, by name."""
        found = f"SELECT name, about FROM hoptim_sign WHERE {_STUDY} AND kind = 'workers'"
        return {name: json.loads(about) for name, about in self._rows(found, self._study)}

    def is_held_by(self, pid: int) -> bool:
        """Whether a process has a lock of a study on this server."""
        return bool(self._rows(_HELD, f"hoptim {pid}@%"))

    def _rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a statement; none while there are no tables yet, or no server."""
        import psycopg

        try:
            with psycopg.connect(self._server, autocommit=True) as connection:
                rows: list[tuple[Any, ...]] = connection.execute(statement.encode(), parameters).fetchall()
                return rows
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []


def place_in(folder: Path, server: str | None) -> Directory:
    """Where a new study is: in a database on a server, else in a folder."""
    return Directory(folder) if server is None else Database(folder, server)
