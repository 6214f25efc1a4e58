"""A study in PostgreSQL, as a backend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hoptim.store.backend import CopyDraft, Records
from hoptim.store.differences import require_bucket
from hoptim.store.format import NEWEST
from hoptim.store.locking.patience import ENDLESS
from hoptim.store.postgres import schema
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.draft import PostgresDraft
from hoptim.store.postgres.driver import UndefinedTable
from hoptim.store.postgres.journal import PostgresJournal
from hoptim.store.postgres.pending import Pending
from hoptim.store.postgres.rows import insertion
from hoptim.store.postgres.signs import PostgresSigns, SharedLine
from hoptim.store.postgres.turn import Turn
from hoptim.store.shape import StudyShape
from hoptim.store.signs import Signs
from hoptim.store.storage import Storage, storage_of
from hoptim.store.study_settings import Begin, StudyFile, compare_digest, decoded, encoded, first_lines

_FIND = "SELECT settings, checkpoints, id FROM hoptim_study WHERE name = %s"
_FIRST = "SELECT line FROM hoptim_record WHERE study = %s AND n = 0"
_LINES = """\
SELECT n, line FROM hoptim_record
WHERE study = (SELECT id FROM hoptim_study WHERE name = %s) AND n >= %s AND n < %s ORDER BY n LIMIT 1000"""
_ALL = 2**62  # more records than there are
_SIZE = """\
SELECT coalesce(sum(octet_length(line) + 1), 0) FROM hoptim_record
WHERE study = (SELECT id FROM hoptim_study WHERE name = %s)"""


class PostgresBackend:
    """What keeps a study in a database: two connections of each process that has it open.

    Args:
        address: Address of the study.
        bucket: URL of the object storage for the checkpoints of a new study. Default: None, for none; the
            recorded one where there is a study.
    """

    def __init__(self, address: Address, bucket: str | None = None) -> None:
        self._address, self._asked = address, bucket
        self._noted: str | None = None
        self._pending = Pending()
        self._line = SharedLine.of(address)

    @property
    def path(self) -> str:
        """Implement `Backend.path`."""
        return self._address.url

    @property
    def key(self) -> str:
        """Implement `Backend.key`."""
        return self._address.key

    @property
    def folder(self) -> None:
        """Implement `Backend.folder`."""

    @property
    def bucket(self) -> str | None:
        """Implement `Backend.bucket`."""
        return self._noted or self._asked

    @property
    def origin(self) -> PostgresBackend | None:
        """Implement `Backend.origin`: a study whose name has "/origin" behind it."""
        origin = PostgresBackend(self._address.origin)
        return None if origin.read() is None else origin

    @property
    def is_bereft(self) -> bool:
        """Implement `Backend.is_bereft`: settings and records come and go together."""
        return False

    def read(self) -> StudyFile | None:
        """Implement `Backend.read`."""
        found = self._line.use("read", self._read)
        if found is not None:
            require_bucket(self.path, self._noted, self._asked)
        return found

    def create(self, identity: Mapping[str, Any], steps: int, begin: Begin | None) -> StudyFile:
        """Implement `Backend.create`."""
        settings = StudyFile(os.urandom(16).hex(), dict(identity), steps)
        data = encoded(NEWEST, settings)
        turn = Turn.of(self._address, f"make {self._address.study}")
        database = Database(self._address)  # `begin` may take long, and look at signs
        lines: list[bytes] = []

        def attempt() -> StudyFile:
            schema.ensure(database)
            if turn.begin(database, ENDLESS, _FIND, self._address.study)[0]:
                database.run("ROLLBACK")
                return self._read(database) or settings
            lines[:] = lines or first_lines(settings, data, begin)
            self._write(database, settings, data, lines)
            return settings

        try:
            with turn.taken(ENDLESS):
                return database.retried("create the study", attempt)
        finally:
            database.drop()

    def records(self, uuid: str, shape: StudyShape) -> Records:
        """Implement `Backend.records`; there are no snapshots."""
        return Records(PostgresJournal(self._address, uuid, self._pending), None)

    def signs(self, kind: str) -> Signs:
        """Implement `Backend.signs`."""
        return PostgresSigns(self._line, kind, self._pending)

    def storage(self, uuid: str) -> Storage:
        """Implement `Backend.storage`."""
        return storage_of(None, uuid, self.bucket)

    def settings(self) -> bytes:
        """Implement `Backend.settings`."""
        rows = self._line.use("read", lambda database: database.run(_FIND, self._address.study))[0]
        return bytes(rows[0][0])

    def lines(self, count: int | None = None) -> Iterator[bytes]:
        """Implement `Backend.lines`."""
        begin, end = 0, _ALL if count is None else count
        while rows := self._line.retried("read", _LINES, self._address.study, begin, end)[0]:
            yield from (f"{line}\n".encode() for _, line in rows)
            begin += len(rows)

    @contextmanager
    def draft(self) -> Iterator[CopyDraft]:
        """Implement `Backend.draft`."""
        draft = PostgresDraft(self._address, self._asked)
        try:
            draft.require_absent()
            yield draft
            draft.commit()
        finally:
            draft.close()

    def sizes(self) -> dict[str, int]:
        """Implement `Backend.sizes`; what is in object storage is not counted."""
        return {"journal": int(self._line.retried("read", _SIZE, self._address.study)[0][0][0])}

    def unremoved(self) -> int:
        """Implement `Backend.unremoved`; objects are removed or not, with nothing in between."""
        return 0

    def _read(self, database: Database) -> StudyFile | None:
        try:
            ((version,),), found = database.run_afresh(
                f"{schema.FIND_VERSION}; {_FIND}", self._address.study
            )
        except UndefinedTable:
            return None
        schema.refuse_newer(version, self.path)
        for data, self._noted, study in found:
            settings = decoded(data, self.path)
            for (line,) in database.run(_FIRST, study)[0]:
                compare_digest(line.encode(), data, self.path)
            return settings
        return None

    def _write(self, database: Database, settings: StudyFile, data: bytes, lines: list[bytes]) -> None:
        """Write the study and its first records, and commit."""
        ((study,),) = database.run(schema.MAKE, self._address.study, settings.uuid, data, self._asked)[0]
        records, parameters = insertion(study, 0, [line[:-1].decode() for line in lines])
        database.run(f"{records}; COMMIT", *parameters)
