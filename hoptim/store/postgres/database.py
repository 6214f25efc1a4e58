"""The connection to a server: opened when it is needed, by each process for itself, and again when lost."""

from __future__ import annotations

import os
import random
import select
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hoptim._signals import signals_allowed
from hoptim.errors import ArgumentError
from hoptim.store.locking.patience import ENDLESS, Patience, limit
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.driver import psycopg
from hoptim.store.postgres.failures import explained, is_away, log_away

Rows = list[tuple[Any, ...]]

AWAY = 300.0  # seconds for which a server that is away is tried again
_LONGEST_PAUSE = 5.0  # seconds between two tries
_DEFAULTS = {  # a network that is cut is noticed within half a minute
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "25000", "target_session_attrs": "read-write", "client_encoding": "UTF8",
}  # fmt: skip
_SETUP = """\
SET statement_timeout = 0; SET lock_timeout = 0; SET default_transaction_isolation = 'read committed';
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 25000;
SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') IN ('off', 'local');"""

T = TypeVar("T")
_shared: weakref.WeakValueDictionary[tuple[int, str, str], Database] = weakref.WeakValueDictionary()
_jitter = random.Random()  # of its own: the user's draws stay theirs


class _Box:
    """What a process has open; it refers to no `Database`, so that one is collected, and closes it."""

    connection: psycopg.Connection | None = None
    told = 0
    listens = False

    def note(self, payload: str) -> None:
        """Note what a notification says."""
        if payload.isdecimal():
            self.told = max(self.told, int(payload))


class Database:
    """A connection, for one thread at a time; a forked child opens its own.

    Args:
        address: Address of a study on the server.

    Attributes:
        address: Address of a study on the server.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._box = _Box()
        _boxes.append(self._box)
        weakref.finalize(self, _forget, self._box)

    @classmethod
    def of(cls, address: Address, study: str) -> Database:
        """Return the connection that all studies opened in this process at an address have in common.

        A script that opens a study again and again would run out of connections: a study refers to itself,
        so that it goes only when garbage is collected.

        Args:
            address: Address of a study on the server.
            study: Identifier of the study.
        """
        return _shared.setdefault((os.getpid(), address.url, study), cls(address))

    @property
    def name(self) -> str:
        """Return the address, for messages."""
        return self.address.url

    @property
    def told(self) -> int:
        """Return the largest number that a notification carried, 0 before the first one."""
        return self._box.told

    def run(self, statements: str, *parameters: Any) -> list[Rows]:
        """Run some statements in one round trip, and return the rows of each.

        The connection is opened if there is none. After an error it is outside of any transaction.

        Args:
            statements: SQL, with semicolons between statements and %s for parameters.
            parameters: Values in the order of their places.

        Raises:
            psycopg.Error: An error of the driver; see `retried`.
        """
        connection = self.open()
        try:
            cursor = connection.execute(statements.encode(), parameters or None)
            found = [cursor.fetchall() if cursor.description else []]
            while cursor.nextset():
                found.append(cursor.fetchall() if cursor.description else [])
            return found
        except BaseException as error:
            self._recover(error)
            raise

    def run_afresh(self, statements: str, *parameters: Any) -> list[Rows]:
        """Run statements as `run`, on a new connection if the one that is there was cut off meanwhile."""
        self.fileno()
        return self.run(statements, *parameters)

    def open(self) -> psycopg.Connection:
        """Return the connection; signals act while it is opened."""
        if (connection := self._box.connection) is None:
            with signals_allowed():
                connection = _connected(self.address)
            self._box.connection, self._box.listens = connection, False
            note = self._box.note
            connection.add_notify_handler(lambda notify: note(notify.payload))
            try:
                connection.execute(_SETUP.encode())
            except BaseException:
                self.drop()
                raise
        return connection

    def listen(self, channel: str, last: str, *parameters: Any) -> None:
        """Listen to notifications; `told` then is up to date, whatever was said before.

        Each of them wakes all sessions that listen, and the server keeps those that are not read: so nobody
        should listen who does not wait.

        Args:
            channel: Name of the notifications, an identifier.
            last: Statement with one row, the number that the last one of them carried.
            parameters: Its parameters.
        """
        if self.fileno() is None or not self._box.listens:
            found = self.run(f"BEGIN; LISTEN {channel}; COMMIT; {last}", *parameters)
            self._box.told = found[-1][0][0]
            self._box.listens = True

    def unlisten(self) -> None:
        """Listen to nothing any more."""
        if self._box.connection is not None and self._box.listens:
            with suppress(psycopg.Error):  # it listens no longer than its connection
                self.run("UNLISTEN *")
            self._box.listens = False

    def fileno(self) -> int | None:
        """Take in what the server has sent by itself; return the descriptor to wait on, None if cut off."""
        connection = self._box.connection
        if connection is None or connection.closed:
            return None
        pgconn, poll = connection.pgconn, select.poll()
        try:
            poll.register(pgconn.socket, select.POLLIN)
            for _ in range(3):  # a last message, and the end behind it
                if not poll.poll(0):
                    break
                pgconn.consume_input()
            while notify := pgconn.notifies():
                self._box.note(notify.extra.decode())
            return int(pgconn.socket)
        except (psycopg.Error, OSError):
            self.drop()
            return None

    def retried(self, doing: str, attempt: Callable[[], T], patience: Patience = ENDLESS) -> T:
        """Return what a function returns; it is called again while the server is away.

        Args:
            doing: Action that is tried, to be read between 'Could not' and the address.
            attempt: Function that uses this connection, and may be called again after an error.
            patience: Time that the calls may take. Default: only `AWAY` and `limited` limit it.

        Raises:
            StoreError: The server refused, or was away for too long.
        """
        end, pause, logged = None, 0.1, 0.0
        while True:
            began = time.monotonic()
            try:
                return attempt()
            except psycopg.Error as error:
                now = time.monotonic()
                if end is None or now - began > AWAY:  # the first failure, or one after a long wait
                    end = now + (patience.within(limit().within(AWAY)) or 0.0)
                if not is_away(error) or now >= end:
                    raise explained(error, doing, self.name) from error
                logged = log_away(error, self.name, end, logged)
            with signals_allowed():
                time.sleep(max(0.0, min(pause * _jitter.uniform(0.5, 1.0), end - time.monotonic())))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def drop(self) -> None:
        """Close the connection, if there is one; what is not committed is rolled back."""
        connection, self._box.connection = self._box.connection, None
        if connection is not None:
            _close(connection)

    def _recover(self, error: BaseException) -> None:
        """Leave a transaction that failed; keep the connection only where nothing speaks against it."""
        connection = self._box.connection
        if connection is None or not isinstance(error, psycopg.Error) or is_away(error):
            self.drop()
            return
        try:
            connection.execute(b"ROLLBACK")
        except psycopg.Error:
            self.drop()


def _connected(address: Address) -> psycopg.Connection:
    """Return a connection that was opened just now."""
    host = os.uname().nodename
    defaults = {**_DEFAULTS, "application_name": f"hoptim {os.getpid()}@{host}"[:63]}
    given = {name: value for name, value in defaults.items() if name not in address.settings}
    try:
        return psycopg.connect(
            address.server, autocommit=True, prepare_threshold=None, cursor_factory=psycopg.ClientCursor,
            **given,
        )  # fmt: skip
    except psycopg.ProgrammingError as error:
        raise ArgumentError(f"The address {address.url!r} cannot be used: {error}.") from error


def _close(connection: psycopg.Connection) -> None:
    with suppress(Exception):
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            connection.cancel_safe(timeout=2.0)  # the server would go on waiting for a lock
    with suppress(Exception):
        connection.close()


_boxes: list[_Box] = []
_inherited: list[psycopg.Connection] = []  # kept, since to collect one would speak to its server


def _forget(box: _Box) -> None:
    with suppress(ValueError):
        _boxes.remove(box)
    connection, box.connection = box.connection, None
    if connection is not None:
        _close(connection)


def _after_fork() -> None:
    """Close, in a forked child, the descriptors by which it would keep its parent's sessions alive."""
    for box in _boxes:
        connection, box.connection = box.connection, None
        if connection is not None:
            _inherited.append(connection)
            with suppress(Exception):
                os.close(connection.pgconn.socket)


os.register_at_fork(after_in_child=_after_fork)
