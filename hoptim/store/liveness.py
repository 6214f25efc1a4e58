"""A process that trains: its name, its sign of life, and how others know that it is dead."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hoptim._files import explained, is_folder, is_there, make_folder, read_front, write_new

BEATS_PER_LEASE = 6
_LONGEST = 4096  # bytes of a worker's file
_LONGEST_LEASE = 1e7  # seconds; a file that says more is no sign of life


class ProcessIdentity(NamedTuple):
    """Where a process lives, exact enough to prove its death on the same host.

    Attributes:
        host: Name of the machine, for people.
        pid: Process number, within its pid namespace.
        start: Start time in clock ticks since boot, so that a reused pid is told apart.
        boot: Identifier of this boot of the machine; "" where unknown.
        space: Identifier of the pid namespace; two containers share a boot but not the pids.
    """

    host: str
    pid: int
    start: str
    boot: str
    space: str

    @staticmethod
    def mine() -> ProcessIdentity:
        """That of this process."""
        pid = os.getpid()
        try:
            start, boot = _start_time(pid) or "", _boot()
        except OSError:
            start = boot = ""  # no system with /proc: the lease decides
        return ProcessIdentity(os.uname().nodename, pid, start, boot, _pid_space())

    def is_dead(self) -> bool:
        """Whether the process is proven dead: same boot and pid namespace, and gone or reused."""
        if not (self.boot and self.space and self.start) or type(self.pid) is not int:
            return False
        try:
            here = self.boot == _boot() and self.space == _pid_space()
            return here and _start_time(self.pid) != self.start
        except OSError:
            return False  # a look that failed proves nothing


class Worker:
    """This process, as the others see it: a file `workers/<id>` whose time stamp moves.

    Args:
        folder: The study's directory.
        lease: Seconds without a sign of life after which others may take its trials.
        guest: It claims for somebody else, who lives on after this process: its parent in a shell. Then
            no death is ever proven, and only `Watch.beat` gives further signs of life.
    """

    def __init__(self, folder: Path, lease: float, guest: bool = False) -> None:
        host = re.sub(r"[^A-Za-z0-9]+", "-", os.uname().nodename)[:16]
        self.id = f"{host}.{os.getppid() if guest else os.getpid()}.{os.urandom(3).hex()}"
        self.pid = os.getpid()
        self._guest = guest
        self._path = folder / "workers" / self.id
        self._lease = lease
        self._stop = threading.Event()

    def start(self) -> None:
        """Write the file and begin to beat; under the lock, before the first claim."""
        mine = ProcessIdentity.mine()
        if self._guest:
            mine = ProcessIdentity(mine.host, os.getppid(), start="", boot="", space="")
        about = {**mine._asdict(), "lease": self._lease} | ({"guest": True} if self._guest else {})
        with explained("write", self._path):
            make_folder(self._path.parent)
            write_new(self._path, json.dumps(about).encode())
        if not self._guest:
            self._beat()

    def _beat(self) -> None:
        threading.Thread(target=self._live, daemon=True, name="hoptim-beat").start()

    def is_shown(self) -> bool:
        """Whether the file is there still; it is removed from one that stood still for too long."""
        try:
            return is_there(self._path)
        except OSError:
            return True  # nothing is known

    def stop(self) -> None:
        """Stop beating and remove the file; after the last claim is released."""
        if self.pid == os.getpid():  # a forked child must not take its parent's sign away
            self._stop.set()
            with suppress(OSError):
                self._path.unlink()

    def _live(self) -> None:
        while not self._stop.wait(self._lease / BEATS_PER_LEASE):
            with suppress(OSError):  # no sign is given that cannot be given; the lease decides
                os.utime(self._path)


class Watch:
    """Tells which of the other workers are dead.

    On the same host a death is proven at once. Elsewhere a worker counts as dead when at least
    looks over a whole lease, on the looker's own clock and never more than a beat apart, so seven at
    least, all saw the same sign of life.

    Args:
        folder: The study's directory.
        lease: Seconds, at least 120 over NFS, whose attribute caches may be 60 s old.
    """

    def __init__(self, folder: Path, lease: float) -> None:
        self._folder = folder / "workers"
        self._lease = lease
        self._seen: dict[str, tuple[object, float, float]] = {}  # sign, first and last look

    def is_dead(self, worker: str) -> bool:
        """Look once; whether this look settles that a worker is dead."""
        sign, lease, dead = self._look(worker)
        if dead:
            return True
        now = time.monotonic()
        old, first, last = self._seen.get(worker, (None, now, now))
        if old != sign or now - last > lease / BEATS_PER_LEASE:
            first = now  # a sign could have come and gone unseen between distant looks
        self._seen[worker] = (sign, first, now)
        return now - first >= lease

    def sign(self, worker: str) -> tuple[float | None, float, bool]:
        """For people: seconds since a worker's last sign of life, its lease, whether it is proven dead."""
        _, lease, dead = self._look(worker)
        try:
            return max(0.0, time.time() - (self._folder / worker).lstat().st_mtime), lease, dead
        except OSError:
            return None, lease, dead

    def beat(self, worker: str) -> bool:
        """Give a sign of life for a guest; whether its file is still there."""
        with explained("write", self._folder / worker):
            try:
                os.utime(self._folder / worker, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def dismiss(self, worker: str) -> None:
        """Remove a guest's file, whose one claim has ended; a worker that beats by itself keeps its own."""
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            if json.loads(read_front(self._folder / worker, _LONGEST)).get("guest") is True:
                self.remove_dead(worker)

    def remove_dead(self, worker: str) -> None:
        """Remove a dead worker's file, once nothing is claimed in its name."""
        self._seen.pop(worker, None)
        with suppress(OSError):
            if is_folder(self._folder):
                (self._folder / worker).unlink()

    def anybody(self) -> bool:
        """Whether there is a sign of life, or what is left of one."""
        try:
            return is_folder(self._folder) and bool(os.listdir(self._folder))
        except OSError:
            return False

    def remove_idle(self, busy: Collection[str | None]) -> None:
        """Remove the files of workers that are proven dead and hold nothing; only under the lock."""
        try:
            names = os.listdir(self._folder) if is_folder(self._folder) else []
        except OSError:
            return
        for worker in names:
            if worker not in busy and (self._look(worker)[2] or self._is_torn(worker)):
                self.remove_dead(worker)

    def _is_torn(self, worker: str) -> bool:
        """Whether a file was never whole; files are written under the lock, so its writer is dead."""
        try:
            json.loads(read_front(self._folder / worker, _LONGEST))
        except (ValueError, RecursionError):
            return True
        except OSError:
            pass
        return False

    def name(self, worker: str) -> str:
        """A worker for people: process and host."""
        host, pid, _ = [*worker.rsplit(".", 2), "?", "?"][:3]
        return f"process {pid} on {host}"

    def _look(self, worker: str) -> tuple[object, float, bool]:
        """Its sign of life, the longer of its lease and ours, whether it is proven dead."""
        path = self._folder / worker
        try:
            found = json.loads(read_front(path, _LONGEST))
            lease = max(self._lease, _seconds(found.pop("lease")))
            found.pop("guest", None)
            status = path.lstat()
            return (status.st_ino, status.st_mtime_ns), lease, ProcessIdentity(**found).is_dead()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return "no sign", self._lease, False


def _seconds(value: Any) -> float:
    if not 0 < value < _LONGEST_LEASE:
        raise ValueError(f"{value!r} is no lease")
    return float(value)


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """Start time of a living process, None when there is none; a zombie no longer lives."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not fields or fields[0] in "ZX":
        return None
    if len(fields) < 20:
        raise OSError(f"/proc/{pid}/stat is not as Linux writes it")
    return fields[19]


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()
