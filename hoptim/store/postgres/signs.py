"""Signs of life in PostgreSQL: rows whose beats are read off the server's clock."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from hoptim.errors import HoptimError
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database, Rows
from hoptim.store.postgres.driver import psycopg
from hoptim.store.postgres.failures import explained
from hoptim.store.postgres.pending import Pending
from hoptim.store.signs import Sign

_HERE = "study = (SELECT id FROM hoptim_study WHERE name = %s) AND kind = %s"
_SHOW = """\
INSERT INTO hoptim_sign (study, kind, name, about, beat)
SELECT (SELECT id FROM hoptim_study WHERE name = %s), %s, unnest(%s::text[]), %s, clock_timestamp()
ON CONFLICT (study, kind, name) DO UPDATE SET about = excluded.about, beat = excluded.beat"""
# One that a holder is about to take away is skipped, since the beat must wait for no hold.
_BEAT = f"""\
WITH due AS (SELECT name FROM hoptim_sign WHERE {_HERE} AND name = ANY(%s) FOR UPDATE SKIP LOCKED)
UPDATE hoptim_sign SET beat = clock_timestamp() WHERE {_HERE} AND name IN (SELECT name FROM due);
SELECT count(*) FROM hoptim_sign WHERE {_HERE} AND name = ANY(%s)"""
_LOOK = f"""\
SELECT name, about, extract(epoch FROM beat)::text, extract(epoch FROM clock_timestamp() - beat)::float8
FROM hoptim_sign WHERE {_HERE} AND name = ANY(%s)"""
_HIDE = f"DELETE FROM hoptim_sign WHERE {_HERE} AND name = ANY(%s)"
_NAMES = f"SELECT name FROM hoptim_sign WHERE {_HERE} ORDER BY name"

T = TypeVar("T")
_lines: weakref.WeakValueDictionary[tuple[int, str], SharedLine] = weakref.WeakValueDictionary()


class PostgresSigns:
    """Signs of life of one kind in a database.

    Args:
        line: Connection for them, which the kinds share.
        kind: "workers" or "pins".
        pending: Additions of a hold of the same backend.
    """

    def __init__(self, line: SharedLine, kind: str, pending: Pending) -> None:
        self._line, self._kind, self._pending = line, kind, pending
        self._here = line.address.study, kind

    def show(self, names: Sequence[str], about: bytes) -> None:
        """Implement `Signs.show`."""
        study, kind = self._here
        self._line.retried("write to", _SHOW, study, kind, list(names), about)

    def hide(self, names: Collection[str]) -> None:
        """Implement `Signs.hide`."""
        if names and not self._pending.hide(self._kind, names):
            self._line.later(_HIDE, *self._here, list(names))

    def beat(self, names: Collection[str]) -> int:
        """Implement `Signs.beat`; it is tried once, since the next beat follows."""
        wanted = list(names)
        found = self._line.once(_BEAT, *self._here, wanted, *self._here, *self._here, wanted)
        return int(found[-1][0][0])

    def is_shown(self, name: str) -> bool:
        """Implement `Signs.is_shown`; a hold brings the answer along for the sign that it is asked for."""
        known = self._pending.is_shown(self._kind, name)
        return self.look(name) is not None if known is None else known

    def look(self, name: str) -> Sign | None:
        """Implement `Signs.look`."""
        return self._seen([name]).get(name)

    def looks(self, names: Collection[str]) -> dict[str, Sign]:
        """Implement `Signs.looks`, in one message."""
        try:
            return self._seen(names) if names else {}
        except OSError:
            return {}

    def names(self) -> list[str]:
        """Implement `Signs.names`."""
        return [name for (name,) in self._line.retried("read", _NAMES, *self._here)[0]]

    def _seen(self, names: Collection[str]) -> dict[str, Sign]:
        rows = self._line.retried("read", _LOOK, *self._here, list(names))[0]
        return {name: Sign(about, stamp, max(0.0, silent)) for name, about, stamp, silent in rows}


class SharedLine:
    """A connection that the threads of a process take turns with, each for one message; see `of`.

    Args:
        address: Address of the study.

    Attributes:
        address: Address of the study.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._database = Database(address)
        self._start()

    @classmethod
    def of(cls, address: Address) -> SharedLine:
        """Return the one for this process and an address."""
        return _lines.setdefault((os.getpid(), address.url), cls(address))

    def _start(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._user: int | None = None  # thread that is in
        self._late: deque[tuple[Any, ...]] = deque()

    def retried(self, doing: str, *query: Any) -> list[Rows]:
        """Return the rows of each statement; while the server is away they are tried again.

        Args:
            doing: Action that is tried, to be read between 'Could not' and the address.
            query: Statements and their parameters.

        Raises:
            StoreError: The server refused, or was away for too long.
        """
        return self.use(doing, lambda database: database.run_afresh(*query))

    def once(self, *query: Any) -> list[Rows]:
        """Return the rows of each statement, tried once; raise `StoreError` if that fails."""
        try:
            return self._alone(lambda database: database.run_afresh(*query))
        except psycopg.Error as error:
            raise explained(error, "write to", self._database.name) from error

    def later(self, *query: Any) -> None:
        """Run a statement now, or after what this thread is at; an error is ignored.

        Whoever collects garbage may call this, and may be in the midst of another call.
        """
        self._own()
        self._late.append(query)
        if self._user != threading.get_ident():
            self._alone(lambda _: None)

    def use(self, doing: str, attempt: Callable[[Database], T]) -> T:
        """Return what a function makes of the connection, of which it has a turn for each try.

        Args:
            doing: Action that is tried, to be read between 'Could not' and the address.
            attempt: Function of the connection, which may be called again after an error.
        """
        return self._database.retried(doing, lambda: self._alone(attempt))

    def _own(self) -> None:
        if self._pid != os.getpid():
            self._start()

    def _alone(self, attempt: Callable[[Database], T]) -> T:
        self._own()
        with self._guard:
            self._user = threading.get_ident()
            try:
                found = attempt(self._database)
                while self._late:
                    with suppress(HoptimError, psycopg.Error):
                        self._database.run(*self._late.popleft())
                return found
            finally:
                self._user = None
