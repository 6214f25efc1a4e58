"""A client's end of a session, in the place of the driver's connection, and what polls it."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from psycopg import OperationalError
from psycopg.pq import TransactionStatus

from tests.simulated.postgres.failures import CODES, lost, unreachable
from tests.simulated.postgres.server import Server
from tests.simulated.postgres.session import Session
from tests.simulated.scheduler import Stuck

if TYPE_CHECKING:
    from tests.simulated.postgres.world import DatabaseWorld

_FIRST = 1 << 24  # number of the first descriptor
_SLICE, _LONGEST_SLICE = 0.1, 1.0  # seconds after which the driver looks for signals
_AWAY = "Connection refused", "FATAL:  the database system is starting up"
_FULL = "Connection reset by peer", "FATAL:  sorry, too many clients already"
_FOR_EVER = 240  # seconds; more than a few holders in a row that are gone, and not yet noticed
_CONNECT_WITHIN = 10.0  # seconds, as `hoptim.store.postgres.database` asks for
NOTICED = 25.0  # seconds after which either end notices that the network is gone
_KINDS = {"INSERT INTO hoptim_record": "record", "pg_advisory": "take", "hoptim_sign": "sign"}


class Cursor:
    """The results of a message."""

    def __init__(self, results: Sequence[Any]) -> None:
        self._left = list(results)

    @property
    def description(self) -> bool:
        """Whether there are rows."""
        return self._left[0] is not None

    def fetchall(self) -> Any:
        """Rows of one statement."""
        return self._left[0]

    def nextset(self) -> bool:
        """Go on to the next statement."""
        self._left.pop(0)
        return bool(self._left)


class Connection:
    """What `psycopg.connect` returns, as far as hoptim uses it; it is its own `pgconn` and `info`.

    Attributes:
        process: The process that has it.
        closed: Whether it is closed, or found to be cut.
        socket: Its descriptor.
        recorded: Number of the last record whose commit was answered, -1 for none.
    """

    def __init__(self, world: DatabaseWorld, server: Server) -> None:
        self.world, self.process = world, world.process
        self._session = Session(server, self)
        self.closed = self._busy = self._cut = False
        self.recorded = -1
        self._answer: Any = None
        self._broken: str | None = None  # code of what the server said at the end, "" for nothing
        self._arrived: list[str] = []
        self._note: Callable[[Any], object] = lambda notify: None
        self._name = str(len(world.connections))
        self.socket = _FIRST + len(world.connections)
        world.connections.append(self)
        self.pgconn = self.info = self

    # -- for the driver's user

    def add_notify_handler(self, note: Callable[[Any], object]) -> None:
        """Call a function for each notification that comes with an answer."""
        self._note = note

    @property
    def transaction_status(self) -> TransactionStatus:
        """Whether an answer is awaited."""
        return TransactionStatus.ACTIVE if self._busy else TransactionStatus.IDLE

    def execute(self, query: bytes, parameters: Sequence[Any] | None = None) -> Cursor:
        """Send a message and wait for its answer."""
        if self.closed or self.world.current is None:
            raise OperationalError("the connection is closed")
        text = query.decode()
        kind = next((kind for part, kind in _KINDS.items() if part in text), "query")
        self._busy, self._answer = True, None
        shown = " ".join(text.split())
        shown = f"{self._name} {shown[:40]}..{shown[-40:]}"
        self.world.call(kind, shown, self._send, text, parameters or ())
        patience, began = _SLICE, self.world.now
        while self._answer is None and self._broken is None:
            self.world.wait(self.world.now + patience, self)
            self.world.call("await", self._name, lambda: None)
            if self.world.now - began > _FOR_EVER:
                raise Stuck(f"a message had no answer for {_FOR_EVER} s: {shown}")
            patience = min(2 * patience, _LONGEST_SLICE)
        if self._answer is None:
            raise self._lost()
        self._busy = False
        for payload in self._take_in():
            self._note(SimpleNamespace(payload=payload))
        if isinstance(self._answer, Exception):
            raise self._answer
        self.recorded = self._session.recorded
        return Cursor(self._answer)

    def consume_input(self) -> None:
        """Take in what is there."""
        if self._broken is not None:
            raise self._lost()

    def notifies(self) -> Any:
        """The next notification, None if there is none."""
        return SimpleNamespace(extra=self._arrived.pop(0).encode()) if self._arrived else None

    def cancel_safe(self, timeout: float) -> None:
        """Cancel what runs."""
        held = self.world.delay(self.process)
        if held > timeout:
            self.world.wait(self.world.now + timeout)
            raise OperationalError("cancellation timeout expired")
        self.world.call("cancel", self._name, self._after, held, self._session.cancel)

    def close(self) -> None:
        """Close it; of a process that is over its end closed it."""
        if not self.closed and not self.process.dead and not self.process.exiting:
            self.closed = True
            self.world.call("close", self._name, self.hang_up, self.world.delay(self.process))

    # -- towards the server

    def _send(self, text: str, parameters: Sequence[Any]) -> None:
        mishap, session, rng = self.process.own.pop("mishap", ""), self._session, self.world.rng
        if mishap == "refuse":
            session.refusal = rng.randrange(text.count(";") + 1), rng.choice(CODES)
        delay = self.world.delay(self.process)
        if delay > NOTICED:
            self._sever(NOTICED, NOTICED)
            return
        if mishap == "cut":
            late = rng.choice((0.0, 0.0, 0.01, 2.0, NOTICED))
            if rng.random() < 0.5:
                self._after(delay, lambda: session.receive(text, parameters))
                self._sever(rng.choice((0.0, 0.01, late)), late)
            else:
                self._sever(0.0, late)
            return
        if not self._cut:
            self._after(delay, lambda: session.receive(text, parameters))

    def _sever(self, here: float, there: float) -> None:
        """Cut the connection; each end notices after some seconds."""
        self._cut = True
        self._after(here, lambda: self._break(""))
        self.hang_up(there)

    def hang_up(self, seconds: float) -> None:
        """Let the server learn after some seconds that there is nobody any more."""
        self._after(seconds, self._session.hang_up)

    def _after(self, seconds: float, action: Callable[[], object]) -> None:
        self.world.at(self.world.now + seconds, action)

    # -- from the server

    def deliver(self, answer: Any) -> None:
        """Bring an answer on its way."""
        self._bring(lambda: self._put("_answer", answer))

    def notify(self, payload: str) -> None:
        """Bring a notification on its way."""
        self._bring(lambda: self._put("_arrived", [*self._arrived, payload]))

    def lose(self, code: str) -> None:
        """Bring on its way that the session is over."""
        self._bring(lambda: self._break(code))

    def _bring(self, action: Callable[[], object]) -> None:
        if not self._cut:
            self._after(self.world.delay(self.process), action)

    def _put(self, name: str, value: Any) -> None:
        if not self._cut:
            setattr(self, name, value)
            self.world.wake(self)

    def _break(self, code: str) -> None:
        if self._broken is None:
            self._broken = code
            self.world.wake(self)

    def _lost(self) -> Any:
        self.closed, self._busy = True, False
        return lost(self._broken or "")

    def _take_in(self) -> list[str]:
        arrived, self._arrived = self._arrived, []
        return arrived

    @property
    def is_readable(self) -> bool:
        """Whether there is something to take in."""
        return self._broken is not None or bool(self._arrived)


def connect(world: DatabaseWorld, server: Server) -> Connection:
    """Open a connection, as the process that runs."""
    found: Connection = world.call("connect", "", _connect, world, server)
    return found


def _connect(world: DatabaseWorld, server: Server) -> Connection:
    mishap, delay = world.process.own.pop("mishap", ""), world.delay(world.process)
    world.wait(world.now + min(delay, _CONNECT_WITHIN))
    if delay > _CONNECT_WITHIN:
        raise unreachable("timeout expired")
    if world.now < server.away:
        raise unreachable(world.rng.choice(_AWAY))
    if mishap:
        raise unreachable(world.rng.choice(_FULL))
    return Connection(world, server)


class Poll:
    """What `select.poll()` returns."""

    def __init__(self, world: DatabaseWorld) -> None:
        self._world = world

    def register(self, fd: int, events: int) -> None:
        """Watch a connection."""
        self._connection = self._world.connections[fd - _FIRST]

    def poll(self, milliseconds: float) -> list[tuple[int, int]]:
        """Wait until there is something to read."""
        world, connection = self._world, self._connection
        world.call("poll", str(connection.socket - _FIRST), lambda: None)
        if connection.closed:
            return [(connection.socket, select.POLLNVAL)]
        if milliseconds and not connection.is_readable:
            world.wait(world.now + milliseconds / 1000, connection)
        return [(connection.socket, select.POLLIN)] if connection.is_readable else []
