"""A study in PostgreSQL, as a backend."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hoptim.store.format import NEWEST
from hoptim.store.locking.patience import ENDLESS
from hoptim.store.memory_journal import Journal
from hoptim.store.postgres import schema
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.driver import UndefinedTable
from hoptim.store.postgres.journal import PostgresJournal
from hoptim.store.postgres.pending import Pending
from hoptim.store.postgres.signs import PostgresSigns, SharedLine
from hoptim.store.postgres.turn import Turn
from hoptim.store.shape import StudyShape
from hoptim.store.signs import Signs
from hoptim.store.study_settings import Begin, StudyFile, compare_digest, decoded, encoded, first_lines

_FIND = "SELECT settings, checkpoints, id FROM hoptim_study WHERE name = %s"
_FIRST = "SELECT line FROM hoptim_record WHERE study = %s AND n = 0"
_MAKE = "INSERT INTO hoptim_study (name, uuid, settings, checkpoints) VALUES (%s, %s, %s, %s); "
_RECORD = "((SELECT id FROM hoptim_study WHERE name = %s), %s, %s)"


class PostgresBackend:
    """What keeps a study in a database: two connections of each process that has it open.

    Args:
        address: Address of the study.
        checkpoints: Place of the files of its checkpoints, if it is made here. Default: None,
            nothing is noted.
    """

    def __init__(self, address: Address, checkpoints: str | None = None) -> None:
        self._address, self._noted = address, checkpoints
        self._pending = Pending()
        self._line = SharedLine(address)

    @property
    def path(self) -> str:
        """Implement `Backend.path`."""
        return self._address.url

    @property
    def key(self) -> str:
        """Implement `Backend.key`."""
        return self._address.key

    @property
    def noted_checkpoints(self) -> str | None:
        """Return where the files of the checkpoints are, as was noted when the study was made."""
        return self._noted

    def read(self) -> StudyFile | None:
        """Implement `Backend.read`."""
        return self._line.use("read", self._read)

    def create(self, identity: Mapping[str, Any], steps: int, begin: Begin | None) -> StudyFile:
        """Implement `Backend.create`."""
        settings = StudyFile(os.urandom(16).hex(), dict(identity), steps)
        data = encoded(NEWEST, settings)
        turn = Turn.of(self._address, f"make {self._address.study}")
        database = Database(self._address)  # `begin` may take long, and look at signs
        lines: list[bytes] = []

        def attempt() -> StudyFile:
            schema.ensure(database)
            if turn.begin(database, ENDLESS, _FIND, self._address.study):
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

    def journal(self, uuid: str) -> Journal:
        """Implement `Backend.journal`."""
        return PostgresJournal(self._address, uuid, self._pending)

    def signs(self, kind: str) -> Signs:
        """Implement `Backend.signs`."""
        return PostgresSigns(self._line, kind, self._pending)

    def snapshots(self, journal: Journal, uuid: str, shape: StudyShape) -> None:
        """Implement `Backend.snapshots`: there are none."""

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
        parameters: list[Any] = [self._address.study, settings.uuid, data, self._noted]
        for n, line in enumerate(lines):
            parameters += [self._address.study, n, line[:-1].decode()]
        places = ", ".join([_RECORD] * len(lines))
        database.run(
            f"{_MAKE}INSERT INTO hoptim_record (study, n, line) VALUES {places}; COMMIT", *parameters
        )
