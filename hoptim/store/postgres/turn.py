"""The lock of a study in a database, and the turns that the threads of this process take at it."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hoptim._signals import signals_allowed
from hoptim.errors import HoptimError, LockTimeout, OptimizerError
from hoptim.store.locking.patience import Patience
from hoptim.store.locking.threads import WaitLogger, take
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database, Rows
from hoptim.store.postgres.driver import LockNotAvailable, psycopg

log = logging.getLogger("hoptim")

_LOG_EVERY = 10.0  # seconds between two warnings about a lock that stays taken
_HOLDER = """\
SELECT application_name, to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')
FROM pg_locks JOIN pg_stat_activity USING (pid)
JOIN unnest(%s::bigint[]) WITH ORDINALITY AS looked (key, place)
    ON (classid::bigint << 32 | objid::bigint) = key
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY place LIMIT 1"""


class Turn:
    """Mutual exclusion between threads here, and between processes by an advisory lock of the server.

    The server's lock ends with its transaction or its session, whichever is first. One object serves a
    process and study, see `of`.

    Args:
        address: Address of the study.
        what: Text that stands for what is locked.

    Attributes:
        mutex: Lock that keeps the threads of this process apart.
        key: Number of the advisory lock.
    """

    def __init__(self, address: Address, what: str) -> None:
        self._address, self.key, self._line = address, key_of(what), key_of(f"the line before {what}")
        self.mutex = threading.RLock()
        self._taken = False
        self._logger = WaitLogger(self._log_holder)

    @staticmethod
    def of(address: Address, what: str) -> Turn:
        """Return the one object for this process and something; a forked child makes its own.

        Args:
            address: Address of the study.
            what: Text that stands for what is locked.
        """
        with _registry_guard:
            return _registry.setdefault((os.getpid(), what), Turn(address, what))

    @contextmanager
    def taken(self, patience: Patience) -> Iterator[None]:
        """Keep other threads of this process out of a block, and this one from entering twice."""
        take(self.mutex, patience.left, self._address.url)
        try:
            if self._taken:
                raise OptimizerError("Study methods cannot be called from propose() or keep=.")
            self._taken = True
            try:
                yield
            finally:
                self._taken = False
        finally:
            self.mutex.release()

    def line_up(self, database: Database, patience: Patience, then: str, *parameters: Any) -> Rows:
        """Wait for the head of the line, and stay there; `begin` goes through the line by itself else.

        Who has read there what others appended while it waited holds the lock for no longer than when
        nobody else is busy. The place is kept until `begin` has the lock, or the connection is closed.

        Args:
            database: Connection that is in line.
            patience: Time to wait.
            then: Statement that is run at the head of the line.
            parameters: Its parameters.

        Returns:
            Rows of that statement.

        Raises:
            LockTimeout: Others are still in front.
            psycopg.Error: An error of the driver.
        """
        return self._waited(database, patience, [self._enter], f"{then}; COMMIT", *parameters)[0]

    def begin(
        self, database: Database, patience: Patience, then: str, *parameters: Any, in_line: bool = False
    ) -> list[Rows]:
        """Begin a transaction that has the lock, in one round trip with more; signals act meanwhile.

        Args:
            database: Connection to begin it on.
            patience: Time to wait for another holder.
            then: Statements that are run under the lock.
            parameters: Their parameters.
            in_line: True if this connection is at the head of the line. Default: False.

        Returns:
            Rows of each of those statements.

        Raises:
            LockTimeout: Another one still holds it.
            psycopg.Error: An error of the driver.
        """
        locks = [f"SELECT pg_advisory_xact_lock({self.key})", f"SELECT pg_advisory_unlock({self._line})"]
        if not in_line:
            locks.insert(0, self._enter)
        return self._waited(database, patience, locks, then, *parameters)

    @property
    def _enter(self) -> str:
        return f"SELECT pg_advisory_lock({self._line})"

    def _waited(
        self, database: Database, patience: Patience, locks: list[str], then: str, *parameters: Any
    ) -> list[Rows]:
        """Begin a transaction, wait for locks in it, and return the rows of what is run then."""
        self._logger.every = _LOG_EVERY
        with self._logger, signals_allowed():
            first = ["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", *locks]
            if (limit := patience.left) is not None:
                first.insert(1, f"SET LOCAL lock_timeout = {max(1, math.ceil(1000 * limit))}")
                first.append("SET LOCAL lock_timeout = 0")
            try:
                return database.run_afresh("; ".join((*first, then)), *parameters)[len(first) :]
            except LockNotAvailable:
                database.run("SELECT pg_advisory_unlock_all()")  # the place in line
            except BaseException:  # a signal may come when the lock is taken already
                database.drop()
                raise
        raise LockTimeout(
            f"The lock of {self._address.url!r} is held by {self._holder()}. Retry, or see whether that "
            "process is stopped; hoptim never takes a lock away from a living process."
        )

    def _log_holder(self) -> None:
        log.warning("Waiting for the lock of %s, held by %s.", self._address.url, self._holder())

    def _holder(self) -> str:
        """Return who has the lock, for display."""
        database = Database(self._address)
        with suppress(HoptimError, psycopg.Error, ValueError):
            (name, since), *_ = database.run(_HOLDER, [self.key, self._line])[0]
            return f"{name}{f' since {since}' if since else ''}"
        return "an unknown process"


def key_of(text: str) -> int:
    """Return the number of the advisory lock that stands for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


_registry: dict[tuple[int, str], Turn] = {}
_registry_guard = threading.Lock()


def _after_fork() -> None:
    global _registry_guard
    _registry_guard = threading.Lock()
    _registry.clear()


os.register_at_fork(after_in_child=_after_fork)
