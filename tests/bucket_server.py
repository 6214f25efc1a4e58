"""A server of object storage for tests, and a proxy before it that fails as services and networks do."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.builders import wait_until

CUT, HELD = 0, -1
MOTO = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")


class BucketServer:
    """A `moto_server` on a free port of this machine; what it holds goes when it stops.

    Args:
        address: Address that it listens on. Default: "127.0.0.1"; "0.0.0.0" for all.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address, self.port = address, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert MOTO is not None
        self._process = subprocess.Popen(
            [MOTO, "-H", self.address, "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(self._answers, 60.0)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def restart(self) -> None:
        """Have a new, empty one at the same port."""
        self.stop()
        self.start()

    def request(self, method: str, path: str) -> int:
        """Send a request around the proxy; return its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={"Authorization": "AWS testing"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.request("GET", "/moto-api/") == 200
        return False


class Failure(NamedTuple):
    """What the proxy does instead of handing a request on.

    Attributes:
        status: Status that it answers with; `CUT` cuts the connection when half of the body has come, and
            `HELD` keeps the request waiting until `fail` is called again.
        code: Code of the service.
        times: Requests that fail so.
        methods: Methods of requests that fail.
        part: Text that is in the paths of requests that fail.
    """

    status: int
    code: str = ""
    times: int = 1_000_000
    methods: tuple[str, ...] = ("PUT", "POST", "GET", "HEAD", "DELETE")
    part: str = ""


class Proxy:
    """A proxy before a server, which a test tells how to fail.

    Args:
        target: Port of the server.
    """

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.failure: Failure | None = None
        self.failed = 0
        self.seen: list[tuple[str, str]] = []
        self.mutex, self.let_go = threading.Lock(), threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Accept connections."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections; those that are open are cut at their next request."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def refuses(self) -> bool:
        """Whether connections are refused."""
        return self._server is None

    def fail(self, failure: Failure | None) -> None:
        """Fail from the next request on; None ends that."""
        with self.mutex:
            self.failure, self.failed = failure, 0
            self.let_go.set()
            self.let_go = threading.Event()

    def failing(self, method: str, path: str) -> Failure | None:
        """Note a request; return how it fails, if it does."""
        with self.mutex:
            self.seen.append((method, path))
            failure = self.failure
            if failure is None or self.failed >= failure.times:
                return None
            if method not in failure.methods or failure.part not in path:
                return None
            self.failed += 1
            return failure


class _Handler(BaseHTTPRequestHandler):
    """One connection to the proxy."""

    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        """Hand a request on, or fail."""
        let_go = self.proxy.let_go
        failure = self.proxy.failing(self.command, self.path)
        size = int(self.headers.get("Content-Length") or 0)
        if failure is not None and failure.status == HELD:
            let_go.wait(60.0)
        if self.proxy.refuses or (failure is not None and failure.status in (CUT, HELD)):
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self.rfile.read(size)
        if failure is not None:
            said = f"<Error><Code>{failure.code}</Code><Message>secret-of-the-service</Message></Error>"
            self._answer(failure.status, [("Content-Type", "application/xml")], said.encode(), size=None)
            return
        self._hand_on(body)

    do_POST = do_GET = do_HEAD = do_DELETE = do_PUT  # noqa: N815

    def _hand_on(self, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        skipped = ("transfer-encoding", "connection", "content-length")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
        self._answer(answer.status, headers, content, answer.getheader("Content-Length"))

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, size: str | None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", size if size and self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
