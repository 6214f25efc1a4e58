"""A hold of a study's lock: one transaction, and what becomes of it when the server goes away in it."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

from hoptim.errors import HoldLost, LockTimeout, StoreError
from hoptim.store.cursor import Cursor
from hoptim.store.locking.patience import Patience, limit
from hoptim.store.postgres.database import Database, Rows
from hoptim.store.postgres.driver import UniqueViolation, psycopg
from hoptim.store.postgres.failures import explained, is_away
from hoptim.store.postgres.pending import Pending
from hoptim.store.postgres.rows import insertion
from hoptim.store.postgres.turn import Turn

_SHOWN = "SELECT 1 FROM hoptim_sign WHERE study = %s AND kind = %s AND name = %s"
# On its own and without an fsync: until a transaction that notifies has ended, no other one of the server
# that notifies can commit, of whatever study.
_NOTIFY = "; BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_notify(%s, %s); COMMIT"
_FROM = "SELECT n, line FROM hoptim_record WHERE study = %s AND n >= %s ORDER BY n"
_HIDE = "DELETE FROM hoptim_sign WHERE study = %s AND kind = %s AND name = %s; "


class Hold:
    """One hold of a study's lock, and what is added in it.

    All is sent at its end, in one message: rows, signs to take away, the commit, and a notification.

    Args:
        database: Connection that it is made on.
        turn: Lock of the study.
        study: Number of the study's row.
        channel: Name of the notifications that say what was added.
        pending: Place to gather what is added.

    Attributes:
        lines: Lines that were appended.
    """

    def __init__(self, database: Database, turn: Turn, study: int, channel: str, pending: Pending) -> None:
        self._database, self._turn, self._pending = database, turn, pending
        self._study, self._channel = study, channel
        self.lines: list[str] = []
        self._before: tuple[int, str] = (-1, "")  # the row that they follow
        self._lost = self._wakes = False

    def begin(self, patience: Patience, in_line: bool, *query: Any) -> Rows:
        """Take the lock, and return the rows of a query of the same round trip.

        Args:
            patience: Time to wait for another holder, and for a server that is away.
            in_line: True if the connection is at the head of the line.
            query: Statement and its parameters.
        """
        database, (statement, *parameters), watched = self._database, query, self._pending.watched
        if watched is not None:
            statement = f"{statement}; {_SHOWN}"
            parameters += [self._study, *watched]
        rows, *shown = database.retried(
            "take the lock of",
            lambda: self._turn.begin(database, patience, statement, *parameters, in_line=in_line),
            patience,
        )
        self._pending.begin(bool(shown[0]) if shown else None)
        return rows

    def rows(self, *query: Any) -> Rows:
        """Return the rows of a query within the hold.

        Args:
            query: Statement and its parameters.

        Raises:
            HoldLost: The connection was lost, and the lock with it.
        """
        self._require()
        try:
            return self._database.run(*query)[0]
        except psycopg.Error as error:
            self._lost = True
            if is_away(error):
                raise self._cut_off() from error
            raise explained(error, "read", self._database.name) from error

    def append(self, lines: list[bytes], at: Cursor, wakes: bool) -> None:
        """Add lines at the end of the hold.

        Args:
            lines: Lines with their newlines.
            at: Place that they follow.
            wakes: True to notify those who wait.

        Raises:
            HoldLost: The connection was lost, and the lock with it.
        """
        self._require()
        if not self.lines:
            self._before = at.n - 1, at.last[:-1].decode()
        self._wakes = self._wakes or wakes
        self.lines += [line[:-1].decode() for line in lines]

    def end(self) -> None:
        """Make what was added durable, and let go of the lock.

        Raises:
            HoldLost: The lock was lost before; nothing was recorded.
            StoreError: The server refused it; or was lost, and it is not known what it did.
        """
        self._pending.end()
        if not self.lines:
            self._conclude()
            return
        self._require()
        try:
            self._commit()
        except UniqueViolation as error:
            raise self._cut_off() from error
        except psycopg.Error as error:
            if is_away(error):
                self._find_out()
            elif not self._is_there():  # else the notification alone was refused
                raise explained(error, "record in", self._database.name) from error

    def give_up(self) -> None:
        """Let go of the lock; nothing is recorded."""
        self._pending.end()
        self._leave()

    def _conclude(self) -> None:
        """End a hold in which nothing was appended; what was decided in it holds if it stood until now."""
        self._require()
        try:
            if self._pending.hidden:
                self._commit()
            else:
                self._database.run("ROLLBACK")
        except psycopg.Error as error:  # a sign that cannot be taken away now is fine
            if is_away(error):
                raise self._cut_off() from error

    def _leave(self) -> None:
        if self._database.fileno() is not None:
            with suppress(psycopg.Error):  # it is let go of with the connection
                self._database.run("ROLLBACK")

    def _require(self) -> None:
        """Raise `HoldLost` if the connection was lost since the hold began."""
        if self._lost or self._database.fileno() is None:
            raise self._cut_off()

    def _commit(self) -> None:
        """Send all, with the commit."""
        statements, parameters = "", list[object]()
        first = self._before[0] + 1
        if self.lines:
            added, parameters = insertion(self._study, first, self.lines)
            statements = f"{added}; "
        for kind, name in sorted(self._pending.hidden):
            statements += _HIDE
            parameters += [self._study, kind, name]
        statements += "COMMIT"
        if self._wakes:
            statements += _NOTIFY
            parameters += [self._channel, str(first + len(self.lines))]
        self._database.run(statements, *parameters)

    def _find_out(self) -> None:
        """Find out what became of a commit whose answer was lost, and commit again if it was none.

        The lock comes only once the old transaction has ended. If nobody has appended until then, what was
        decided still stands.
        """
        try:
            self._database.retried("record in", self._record_once)
        except HoldLost:
            raise
        except (StoreError, LockTimeout) as error:
            raise StoreError(
                error.errno or errno.ETIMEDOUT,
                f"It is not known whether {self._database.name!r} has recorded the last call, since the "
                f"server was lost while it did so. {error}",
            ) from error

    def _record_once(self) -> None:
        (rows,) = self._turn.begin(self._database, limit(), *self._query)
        if rows == [self._before]:
            self._commit()
            return
        self._database.run("ROLLBACK")
        if rows != self._wanted:
            raise self._cut_off()

    def _is_there(self) -> bool:
        """Return whether what was appended is recorded, as far as can be seen."""
        with suppress(psycopg.Error):
            return self._database.run(*self._query)[0] == self._wanted
        return False

    @property
    def _query(self) -> tuple[Any, ...]:
        """Return the query for the row before what was appended, and for as many behind it."""
        return f"{_FROM} LIMIT {1 + len(self.lines)}", self._study, self._before[0]

    @property
    def _wanted(self) -> Rows:
        """Return the rows that it gives once all is recorded."""
        return [self._before, *enumerate(self.lines, self._before[0] + 1)]

    def _cut_off(self) -> HoldLost:
        return HoldLost(
            errno.ECONNRESET,
            f"The lock of {self._database.name!r} was lost while this process held it: the connection was "
            "cut, or ended by the server, or this process stood still. Nothing was recorded; the same call "
            "may be made again.",
        )
