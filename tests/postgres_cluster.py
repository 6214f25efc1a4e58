"""For tests: throw-away servers of PostgreSQL, which can be stopped, killed, and followed by a standby."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SETTINGS = {  # small and quick, yet with all that a standby needs
    "shared_buffers": "16MB", "max_connections": "100", "wal_level": "replica", "max_wal_senders": "4",
    "autovacuum": "off", "log_min_messages": "fatal", "lc_messages": "C", "timezone": "UTC",
}  # fmt: skip


def binaries() -> Path | None:
    """Return the folder with initdb and postgres, None where there is none."""
    found = []
    if shutil.which("pg_config"):
        ran = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)
        found.append(ran.stdout.strip())
    found += sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True)
    return next((Path(folder) for folder in found if folder and (Path(folder) / "initdb").exists()), None)


def why_missing() -> str | None:
    """Return why no server can be started here, None if one can."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed: pip install -e '.[postgres]'"
    if binaries() is None:
        return "no PostgreSQL is installed (Debian's package postgresql)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "the server does not run as root, and setpriv is not installed"
    return None


class Cluster:
    """One server with a data folder and a socket of its own.

    Args:
        folder: Folder to make the data in; must not be too deep, since a socket's path is short.
        fsync: False for a server that loses data in a power cut, not when it is killed. Default: False.

    Attributes:
        port: Its TCP port on 127.0.0.1, also the one of its socket.
    """

    def __init__(self, folder: Path, fsync: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        self._data, self._fsync = folder / "data", fsync
        self._given: dict[str, Any] = {}
        self._server: subprocess.Popen[bytes] | None = None

    def make(self, **settings: Any) -> Cluster:
        """Make the data of an empty server, and return this object."""
        _own(self.folder)
        self._run(
            "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-D", str(self._data), "-E", "UTF8"
        )
        self.configure(**settings)
        return self

    def follow(self, primary: Cluster, **settings: Any) -> Cluster:
        """Make the data of a standby of another server, which runs, and return this object."""
        _own(self.folder)
        self._run(
            "pg_basebackup", "--no-sync", "-R", "-X", "stream", "-c", "fast", "-D", str(self._data),
            "-d", f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby",
        )  # fmt: skip
        self.configure(**settings)
        return self

    def configure(self, **settings: Any) -> None:
        """Add settings, which count from the next start or `reload` on."""
        own = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
            "fsync": "on" if self._fsync else "off",
        }  # fmt: skip
        self._given |= settings
        with (self._data / "postgresql.conf").open("a") as file:
            for name, value in {**_SETTINGS, **own, **self._given}.items():
                file.write(f"{name} = '{value}'\n")

    def reload(self) -> None:
        """Let the server take in settings."""
        self.ask("SELECT pg_reload_conf()")

    def start(self) -> Cluster:
        """Start the server, and return this object once it answers; after a kill it recovers first."""
        command = [str(_bin("postgres")), "-D", str(self._data)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*_as_postgres(), *command], stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 60.0
        while not self.answers():
            if self._server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def answers(self) -> bool:
        """Return whether the server takes connections."""
        check = [str(_bin("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(check, check=False).returncode == 0

    def stop(self) -> None:
        """Stop the server, and cut its sessions off; nothing if it does not run."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(60)
            self._server = None

    def kill(self) -> None:
        """Kill all processes of the server at once, as a crash of its machine would."""
        if self._server is not None:
            pids = [self._server.pid, *_children(self._server.pid)]
            for pid in pids:
                with suppress(ProcessLookupError):  # a session that has ended meanwhile
                    os.kill(pid, signal.SIGSTOP)  # so that none of them sees another one die
            for pid in [*pids, *_children(self._server.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._server.wait(60)
            self._server = None
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()

    def promote(self) -> None:
        """Make a standby the primary."""
        self.ask("SELECT pg_promote()")

    def set_login(self, user: str, method: str) -> None:
        """Ask a user for a password, or whatever else a method says, over TCP."""
        path = self._data / "pg_hba.conf"
        path.write_text(f"host all {user} 127.0.0.1/32 {method}\n{path.read_text()}")
        self.reload()

    def copy_data(self, target: Path) -> None:
        """Copy the data of a server that does not run, as a backup; `put_back` takes it."""
        shutil.copytree(self._data, target)

    def put_back(self, source: Path) -> None:
        """Replace the data of a server that does not run by a copy of them."""
        shutil.rmtree(self._data)
        shutil.copytree(source, self._data)
        _own(self._data)

    def ask(self, statement: str, *parameters: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Return the rows of a statement, run by the superuser."""
        import psycopg

        where = f"host={self.folder} port={self.port} user=postgres dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def url(self, study: str, port: int = 0, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a study, through another port if one is given."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}?study={study}"

    def _run(self, name: str, *arguments: str) -> None:
        ran = subprocess.run(
            [*_as_postgres(), str(_bin(name)), *arguments], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise RuntimeError(f"{name} failed: {ran.stderr}")


@contextmanager
def cluster(fsync: bool = False, **settings: Any) -> Iterator[Cluster]:
    """Run a server for a block."""
    with short_folder() as folder:
        made = Cluster(folder, fsync).make(**settings)
        try:
            yield made.start()
        finally:
            made.kill()


@contextmanager
def standby(primary: Cluster, **settings: Any) -> Iterator[Cluster]:
    """Run a standby for a block; from now on the primary acknowledges nothing that it has not received."""
    with short_folder() as folder:
        made = Cluster(folder).follow(primary, **settings)
        try:
            made.start()
            primary.configure(synchronous_standby_names="standby")
            primary.reload()
            yield made
        finally:
            made.kill()


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder with a path that is short enough for sockets, for a block."""
    folder = Path(tempfile.mkdtemp(prefix="hoptim-pg-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port that nobody uses at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _bin(name: str) -> Path:
    folder = binaries()
    assert folder is not None
    return folder / name


def _version(folder: str) -> float:
    return float(folder.split("/")[-2])


def _as_postgres() -> list[str]:
    """Return what a command begins with that must not run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def _own(folder: Path) -> None:
    """Give a folder to the user that the server runs as."""
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, "postgres", "postgres")


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False)
    return [int(each) for each in found.stdout.split()]
