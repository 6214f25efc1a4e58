"""Identity of a process, exact enough to prove its death on the same host."""

from __future__ import annotations

import os
import re
from typing import NamedTuple


class ProcessIdentity(NamedTuple):
    """Where a process lives and when it began.

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
        """Return the identity of this process."""
        pid = os.getpid()
        try:
            start, boot = _start_time(pid) or "", _boot()
        except OSError:
            start = boot = ""  # no system with /proc: the lease decides
        return ProcessIdentity(os.uname().nodename, pid, start, boot, _pid_space())

    @staticmethod
    def of_parent() -> ProcessIdentity:
        """Return an identity of the parent of this process that proves no death."""
        return ProcessIdentity(os.uname().nodename, os.getppid(), start="", boot="", space="")

    def is_dead(self) -> bool:
        """Return whether the process is proven dead: same boot and pid namespace, and gone or reused."""
        if not (self.boot and self.space and self.start) or type(self.pid) is not int:
            return False
        try:
            here = self.boot == _boot() and self.space == _pid_space()
            return here and _start_time(self.pid) != self.start
        except OSError:
            return False  # a look that failed proves nothing


def new_id(pid: int) -> str:
    """Return a name for what a process writes, unique also when its pid is used again: host.pid.random."""
    host = re.sub(r"[^A-Za-z0-9]+", "-", os.uname().nodename)[:16]
    return f"{host}.{pid}.{os.urandom(3).hex()}"


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """Return the start time of a living process, None when there is none; a zombie no longer lives."""
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
