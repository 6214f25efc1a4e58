"""A copy of a study on its way into a database, which is there once a transaction is committed."""

from __future__ import annotations

from collections.abc import Iterator

from hoptim.errors import ArgumentError, StoreError
from hoptim.store.backend import Backend
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.postgres import schema
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.driver import UniqueViolation, psycopg
from hoptim.store.postgres.failures import explained, is_away
from hoptim.store.postgres.rows import insertion
from hoptim.store.storage import storage_of
from hoptim.store.study_settings import decoded

_THERE = "SELECT 1 FROM hoptim_study WHERE name = %s"
_AT_ONCE = 1000  # rows


class PostgresDraft:
    """The making of a copy; nothing is there before `commit`.

    Args:
        address: Address that the study will have.
        bucket: URL of object storage for its checkpoints, None without.
    """

    def __init__(self, address: Address, bucket: str | None) -> None:
        self._address, self._bucket = address, bucket
        self._database = Database(address)

    def require_absent(self) -> None:
        """Raise `ArgumentError` if a study has the name already; make the tables if they are not there."""
        self._database.retried("write to", lambda: schema.ensure(self._database))
        if self._database.retried("read", lambda: self._database.run(_THERE, self._address.study))[0]:
            raise self._taken()

    def checkpoints(self, uuid: str) -> Checkpoints:
        """Implement `CopyDraft.checkpoints`."""
        return storage_of(None, uuid, self._bucket).checkpoints

    def transcribe(self, source: Backend, count: int) -> None:
        """Implement `CopyDraft.transcribe`."""
        self._database.retried("write to", lambda: self._write_all(source, count))

    def commit(self) -> None:
        """Make the copy be there.

        Raises:
            StoreError: The server refused it; or was lost, and has it or not, as the same call finds.
        """
        try:
            self._database.run("COMMIT")
        except psycopg.Error as error:
            why = explained(error, "write to", self._address.url)
            if is_away(error) and isinstance(why, StoreError):
                raise StoreError(
                    why.errno,
                    f"It is not known whether the copy is at {self._address.url!r}, since the server was "
                    f"lost while it was committed. {why} If that says that there is a study already, it is "
                    "the copy, and complete.",
                ) from error
            raise why from error

    def close(self) -> None:
        """Let go of the connection; what is not committed is rolled back."""
        self._database.drop()

    def _write_all(self, source: Backend, count: int) -> None:
        self._database.run("BEGIN")
        try:
            self._write(self._address, source, count)
        except UniqueViolation:
            raise self._taken() from None

    def _write(self, address: Address, source: Backend, count: int | None) -> None:
        """Write a study, and the one that it was forked from, within the transaction."""
        data = source.settings()
        uuid = decoded(data, source.path).uuid
        bucket = self._bucket if address == self._address else None
        ((study,),) = self._database.run(schema.MAKE, address.study, uuid, data, bucket)[0]
        for n, lines in _portions(source.lines(count)):
            records, parameters = insertion(study, n, [line[:-1].decode() for line in lines])
            self._database.run(records, *parameters)
        if (origin := source.origin) is not None:
            self._write(address.origin, origin, None)

    def _taken(self) -> ArgumentError:
        return ArgumentError(
            f"There is a study at {self._address.url!r} already; a copy needs a name of its own."
        )


def _portions(lines: Iterator[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield some lines at a time, with the number of the first."""
    n, portion = 0, list[bytes]()
    for line in lines:
        portion.append(line)
        if len(portion) == _AT_ONCE:
            yield n, portion
            n, portion = n + len(portion), []
    if portion:
        yield n, portion
