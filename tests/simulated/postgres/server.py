"""A server: committed rows, locks, the sessions of its clients, and how it loses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session
    from tests.simulated.postgres.world import DatabaseWorld

Key = tuple[Any, ...]  # a table's name, and what is unique in it
Lines = list[tuple[int, str]]
Statements = Mapping[str, Callable[..., Any]]  # what they do, by a pattern of how they begin


class Blocked(Exception):
    """A statement must wait: for the session that it names, or for its turn at an advisory lock."""

    def __init__(self, thing: object = None) -> None:
        self.thing = thing


class Server:
    """What all sessions share.

    Args:
        world: The world that it is in.

    Attributes:
        rows: Committed rows by table and key.
        sessions: Those that are connected.
        owners: Session that has written a row and not committed it, by the row's key.
        away: Until when nobody can connect.
        watch: Told of the session and the records of each commit before it takes place.
        lose: Told of each session and the records of a commit that is undone.
    """

    def __init__(self, world: DatabaseWorld) -> None:
        self.world = world
        self.rows: dict[Key, Any] = {}
        self.sessions: list[Session] = []
        self.owners: dict[Key, Session] = {}
        self.away = 0.0
        self.watch: Callable[[Session, Lines], object] = lambda session, lines: None
        self._queues: defaultdict[int, list[Session]] = defaultdict(list)  # the first one has the lock
        self.lose: Callable[[Session, Lines], object] = lambda session, lines: None
        self.serial = 0  # of rows whose keys a mutant lets be equal
        self._undo: list[tuple[Session, Lines, dict[Key, Any]]] = []  # of all commits

    def breaks(self, *mutants: str) -> bool:
        """Whether the world has one of some mutants, which spare the making of the study."""
        return self.world.mutant in mutants and any(key[0] == "study" for key in self.rows)

    def lines(self) -> Lines:
        """Committed records, in order."""
        return [(key[2], line) for key, line in sorted(self.rows.items()) if key[0] == "record"]

    def take(self, session: Session, lock: int) -> None:
        """Take an advisory lock, or stand in its queue."""
        queue = self._queues[lock]
        if session not in queue:
            queue.append(session)
        if queue[0] is not session and not self.breaks("nolock"):
            raise Blocked

    def holder(self) -> Session | None:
        """Who has a lock that somebody waits for."""
        return next((queue[0] for queue in self._queues.values() if len(queue) > 1), None)

    def has_lock(self, session: Session) -> bool:
        """Whether a session has an advisory lock."""
        return any(queue[:1] == [session] for queue in self._queues.values())

    def leave_queues(self, session: Session, only: int | None = None) -> None:
        """Let go of one advisory lock or of all, and wait for none, but keep those of the session."""
        for lock, queue in self._queues.items():
            if session in queue and lock not in session.kept and only in (None, lock):
                first = queue[0] is session
                queue.remove(session)
                if first and queue:
                    queue[0].wake()

    def own(self, session: Session, keys: list[Key]) -> None:
        """Lock some rows, or wait for who has written one of them."""
        for key in keys:
            if self.owners.get(key, session) is not session:
                raise Blocked(self.owners[key])
        self.owners.update(dict.fromkeys(keys, session))

    def disown(self, session: Session) -> None:
        """Unlock the rows of a transaction that has ended."""
        self.owners = {key: owner for key, owner in self.owners.items() if owner is not session}
        for other in self.sessions:
            if other.waits_for is session:
                other.resume()

    def commit(self, session: Session, writes: dict[Key, Any]) -> None:
        """Make what a transaction wrote everybody's."""
        lines = [(key[2], row) for key, row in writes.items() if key[0] == "record"]
        if lines:
            self.watch(session, lines)
            session.recorded = lines[-1][0]
        if writes:
            self._undo.append((session, lines, {key: self.rows.get(key) for key in writes}))
        self._apply(writes)

    def _apply(self, writes: dict[Key, Any]) -> None:
        self.rows.update(writes)
        for key in [key for key in writes if self.rows[key] is None]:
            del self.rows[key]

    def notify(self, channel: str, payload: str) -> None:
        """Tell all sessions that listen."""
        for session in self.sessions:
            session.hear(channel, payload)

    def restart(self, seconds: float) -> None:
        """End all sessions, and be away for a while."""
        for session in list(self.sessions):
            session.end(self.world.rng.choice(("", "57P01", "57P02")))
        self.away = self.world.now + seconds
        if self.world.mutant == "forgets":
            self._put_back(1)

    def promote(self, seconds: float, count: int) -> None:
        """Let a standby take over, which had not received the last commits that record something."""
        self.restart(seconds)
        for session, lines in self._put_back(count):
            self.lose(session, lines)

    def _put_back(self, count: int) -> list[tuple[Session, Lines]]:
        """Undo commits until some were undone that record something; the study itself stays."""
        undone: list[tuple[Session, Lines]] = []
        made = next((i for i, (_, lines, _) in enumerate(self._undo, 1) if lines), len(self._undo))
        while len(undone) < count and len(self._undo) > made:
            session, lines, old = self._undo.pop()
            self._apply(old)
            undone += [(session, lines)] if lines else []
        return undone
