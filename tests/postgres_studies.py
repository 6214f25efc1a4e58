"""For tests: studies in PostgreSQL, and a proxy that cuts a connection at a chosen moment."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from hoptim.store.postgres.address import Address
from hoptim.store.postgres.backend import PostgresBackend

_numbers = itertools.count()


class Made:
    """A study that was made on a server.

    Args:
        server: The server, see `tests.postgres_cluster`.
        port: Port to reach it through. Default: 0, its own.

    Attributes:
        name: Name of the study, another one for each object.
        uuid: Its identifier.
    """

    def __init__(self, server, port=0):
        self.server, self.port, self.name = server, port, f"study-{next(_numbers)}"
        settings = self.backend().create({"size": 2}, 3, None)
        self.uuid = settings.uuid

    def backend(self):
        """Return a backend with connections of its own, as another process would have."""
        return PostgresBackend(Address.of(self.server.url(self.name, self.port)))

    def journal(self):
        """Return a journal with a connection of its own."""
        return journal_of(self.backend(), self.uuid)

    def lines(self):
        """Return the lines of the journal, read without hoptim."""
        query = "SELECT line FROM hoptim_record JOIN hoptim_study ON id = study WHERE uuid = %s ORDER BY n"
        return [line for (line,) in self.server.ask(query, self.uuid)]

    def execute(self, statement):
        """Run a statement on the rows of this study, `{id}`."""
        found = f"(SELECT id FROM hoptim_study WHERE uuid = '{self.uuid}')"
        return self.server.ask(statement.format(id=found))

    def waiting(self):
        """Return whether somebody waits for the lock."""
        return bool(self.server.ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))

    def cut_sessions(self):
        """End all sessions that have or want the lock."""
        self.server.ask("SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory'")


class Held:
    """The lock of a study, held by a session of somebody else until `let_go` or the end of a block."""

    def __init__(self, made):
        import psycopg

        self._session = psycopg.connect(
            f"host=127.0.0.1 port={made.server.port} user=postgres dbname=postgres",
            application_name="somebody", autocommit=True,
        )  # fmt: skip
        self._session.execute(f"SELECT pg_advisory_lock({made.journal()._turn.key})".encode())

    def let_go(self):
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go()


class Proxy:
    """A TCP port in front of a server.

    The next message of a client that contains `trigger` is forwarded or swallowed, and its answer never
    arrives: once the server has answered, the connection is cut.

    Args:
        port: Port of the server.

    Attributes:
        port: Port to connect to.
        trigger: Bytes to cut at, None for never; it works once.
        forward: True to forward the message that is cut at.
        meanwhile: Function that is called before the connection is cut.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._gate = threading.Lock()
        self.trigger: bytes | None = None
        self.forward = True
        self.meanwhile: Callable[[], object] = lambda: None
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        _end(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                cut = threading.Event()
                for source, target, pump in ((client, server, self._up), (server, client, self._down)):
                    threading.Thread(target=pump, args=(source, target, cut), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self.trigger is not None and self.trigger in data:
                    self.trigger = None
                    if not self.forward:
                        with self._gate:
                            self.meanwhile()
                        break
                    cut.set()
                server.sendall(data)
        _end(client, server)

    def _down(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 20):
                if cut.is_set():
                    self.meanwhile()
                    break
                client.sendall(data)
        with self._gate:  # a server may cut this connection before all is done that is done meanwhile
            _end(client, server)


def _end(*ends: socket.socket) -> None:
    for each in ends:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def journal_of(backend, uuid):
    """The journal of a backend."""
    return backend.records(uuid, None).journal
