"""The session of a client: its transaction, and the message that it works off, one statement at a time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import errors

from tests.simulated.postgres.dialect import execute, split
from tests.simulated.postgres.failures import drawn
from tests.simulated.postgres.server import Blocked, Key, Server

if TYPE_CHECKING:
    from tests.simulated.postgres.connection import Connection


class Transaction:
    """What is not committed.

    Attributes:
        explicit: Whether it began with BEGIN, and so does not end with its message.
        failed: Whether an error undid it, so that it only can be rolled back.
        writes: Rows by key; None for what is deleted.
        notes: Channel and payload of notifications.
        listens: Channels to listen to.
        lock_timeout: Seconds to wait for a lock, 0 without limit.
    """

    def __init__(self) -> None:
        self.explicit = self.failed = False
        self.writes: dict[Key, Any] = {}
        self.notes: list[tuple[str, str]] = []
        self.listens: set[str] = set()
        self.lock_timeout = 0.0
        self.snapshot: dict[Key, Any] | None = None  # of a mutant that sees no later rows


class Session:
    """One connection as its server sees it.

    Attributes:
        client: The connection at its other end.
        kept: Advisory locks that it keeps when its transaction ends, and how often it took each.
        listens: Channels that it listens to.
        waits_for: Session whose transaction must end before it goes on.
        recorded: Number of the last record that it committed, -1 for none.
        refusal: Number of the statement of its next message that fails, and the error's code.
    """

    def __init__(self, server: Server, client: Connection) -> None:
        self.server, self.client, self._world = server, client, server.world
        self.kept, self.listens = Counter[int](), set[str]()
        self.waits_for: object = None
        self.recorded = -1
        self.refusal: tuple[int, str] | None = None
        self._transaction: Transaction | None = None
        self._work: deque[tuple[str, list[Any]]] = deque()
        self._results: list[Any] = []
        self._notes: list[str] = []
        self._busy = self._blocked = self._ended = self._hung_up = False
        self._ticket = 0  # of the step that is planned
        server.sessions.append(self)

    # -- messages

    def receive(self, text: str, parameters: Sequence[Any]) -> None:
        """Begin to work off a message."""
        if not self._ended:
            self._busy, self._work, self._results = True, split(text, parameters), []
            self.resume()

    def wake(self) -> None:
        """Have the lock that it waited for."""
        if self._blocked:
            self.resume()

    def resume(self) -> None:
        """Go on with the next statement, or once more with the one that waited."""
        self._blocked, self.waits_for = False, None
        self._ticket += 1
        ticket = self._ticket
        self._world.at(self._world.now + self._world.pause(), lambda: self._step(ticket))

    def _step(self, ticket: int) -> None:
        if ticket != self._ticket or self._ended:
            return
        if not self._work:
            if self._transaction is not None and not self._transaction.explicit:
                self.commit()
            self._answer(self._results)
            return
        text, parameters = self._work[0]
        try:
            self._require(text)
            rows = execute(self, text, parameters)
        except Blocked as block:
            self._wait(block.thing)
        except errors.Error as error:
            self._fail(error)
        else:
            self._work.popleft()
            self._results.append(rows)
            self.resume()

    def _require(self, text: str) -> None:
        if self.refusal is not None and len(self._results) >= self.refusal[0]:
            (_, code), self.refusal = self.refusal, None
            raise drawn(code)
        if self.transaction.failed and text not in ("ROLLBACK", "COMMIT"):
            raise errors.InFailedSqlTransaction("current transaction is aborted")

    def _wait(self, thing: object) -> None:
        self._blocked, self.waits_for, ticket = True, thing, self._ticket
        if timeout := self.transaction.lock_timeout:
            self._world.at(self._world.now + timeout, lambda: self._expire(ticket))

    def _expire(self, ticket: int) -> None:
        if ticket == self._ticket and self._blocked and not self._ended:
            self._fail(errors.LockNotAvailable("canceling statement due to lock timeout"))

    def cancel(self) -> None:
        """End the statement that runs."""
        if self._blocked:
            self._fail(drawn("57014"))
        elif self._busy:
            self.refusal = 0, "57014"

    def _fail(self, error: Exception) -> None:
        explicit = self.transaction.explicit
        self.rollback()
        if explicit:
            self.transaction.explicit = self.transaction.failed = True
        self._answer(error)

    def _answer(self, answer: Any) -> None:
        self._busy = self._blocked = False
        self.refusal = None
        self._ticket += 1
        self.client.deliver(answer)
        if self._hung_up:
            self.end("")
        elif self._transaction is None:
            self._say()

    # -- transactions

    @property
    def transaction(self) -> Transaction:
        """The one that it is in; begun if there is none."""
        if self._transaction is None:
            self._transaction = Transaction()
            if self.server.breaks("lateread"):
                self._transaction.snapshot = dict(self.server.rows)
        return self._transaction

    def rows(self) -> dict[Key, Any]:
        """Rows that it sees."""
        transaction = self.transaction
        seen = self.server.rows if transaction.snapshot is None else transaction.snapshot
        if transaction.writes:
            seen = {**seen, **transaction.writes}
            seen = {key: row for key, row in seen.items() if row is not None}
        return seen

    def insert(self, rows: dict[Key, Any]) -> None:
        """Add rows whose keys must be new."""
        self.server.own(self, list(rows))
        there = self.server.rows.keys() | self.transaction.writes.keys()
        if not there.isdisjoint(rows):
            raise errors.UniqueViolation("duplicate key value violates unique constraint")
        self.transaction.writes |= rows

    def write(self, rows: dict[Key, Any]) -> None:
        """Change or delete rows."""
        self.server.own(self, list(rows))
        self.transaction.writes |= rows

    def commit(self) -> None:
        """Make what it wrote everybody's, and let go of all locks."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None and not transaction.failed:
            self.server.commit(self, transaction.writes)
            self.listens |= transaction.listens
            for note in transaction.notes:
                self.server.notify(*note)
        self._release()

    def rollback(self) -> None:
        """Undo what it wrote, and let go of all locks."""
        self._transaction = None
        self._release()

    def _release(self) -> None:
        self.server.leave_queues(self)
        self.server.disown(self)

    # -- notifications and the end

    def hear(self, channel: str, payload: str) -> None:
        """Pass a notification on, now or after the transaction that it is in."""
        if channel in self.listens:
            self._notes.append(payload)
            if not self._busy and self._transaction is None:
                self._say()

    def _say(self) -> None:
        notes, self._notes = self._notes, []
        for payload in notes:
            self.client.notify(payload)

    def hang_up(self) -> None:
        """Learn that the client is gone: now if nothing is to be done, else after that."""
        self._hung_up = True
        if not self._busy:
            self.end("")

    def end(self, code: str) -> None:
        """End; what is not committed is rolled back."""
        if self._ended:
            return
        self._ended = True
        self.server.sessions.remove(self)
        self.client.lose(code)
        if self._world.mutant == "keeps" and self.server.has_lock(self):
            return
        self.kept.clear()
        self.rollback()
