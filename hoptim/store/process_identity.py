"""Identity of a process, exact enough to prove on the same host that it is dead, or that it lives."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import NamedTuple

_NETWORK = "/sys/class/net"
_LARGEST_PID = 2**31 - 1  # that the kernel's pid_t holds

Place = tuple[str, str, str]  # host, boot and namespaces


class ProcessIdentity(NamedTuple):
    """Where a process lives and when it began.

    Attributes:
        host: Name of the machine.
        pid: Process number, within its pid namespace.
        start: Start time in clock ticks since boot, so that a reused pid is told apart.
        boot: Identifier of this boot of this machine; "" where unknown.
        space: Namespaces that pid and start time are of; two containers share a boot but not the pids.
            "" where unknown, or where /proc shows others.
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
            start, boot, space = _start_time(pid) or "", _boot(), _space()
        except OSError:
            start = boot = space = ""  # no system with /proc: the lease decides
        return ProcessIdentity(os.uname().nodename, pid, start, boot, space)

    @staticmethod
    def of_parent() -> ProcessIdentity:
        """Return an identity of the parent of this process that proves neither life nor death."""
        return ProcessIdentity(os.uname().nodename, os.getppid(), start="", boot="", space="")

    def lives(self, place: Place | None = None) -> bool | None:
        """Return True if the process provably lives, False if it is proven dead, None if neither is proven.

        Only a process of the same boot and namespaces can tell: there, a process that is gone or whose
        pid is used again is dead.

        Args:
            place: Place of this process as it is now, for many looks in one go: a host with many network
                devices takes long to say it. Default: it is asked.
        """
        if not (self.boot and self.space and self.start) or type(self.pid) is not int:
            return None
        if self.host != os.uname().nodename or not 0 < self.pid <= _LARGEST_PID:
            return None
        if (place or place_here()) != (self.host, self.boot, self.space):
            return None
        try:
            return _start_time(self.pid) == self.start
        except OSError:
            return None  # a look that failed proves nothing


def place_here() -> Place:
    """Return where this process is, which is nowhere if a look fails."""
    try:
        return os.uname().nodename, _boot(), _space()
    except OSError:
        return "", "", ""


def new_id(pid: int, prefix: str = "") -> str:
    """Return a name for what a process writes, unique also when its pid is used again: host.pid.random.

    Args:
        pid: Process.
        prefix: Hexadecimal digits before the random ones. Default: none.
    """
    host = re.sub(r"[^A-Za-z0-9]+", "-", os.uname().nodename)[:16]
    return f"{host}.{pid}.{prefix}{os.urandom(3).hex()}"


def _boot() -> str:
    """Return the boot id, and the hardware addresses of the network.

    A virtual machine that was copied while it ran, or resumed twice from one snapshot, has the boot id of
    its original, its machine id and its processes. To reach the same directory over a network it needs
    addresses of its own.
    """
    return " ".join([_read("/proc/sys/kernel/random/boot_id"), *_hardware_addresses()])


def _hardware_addresses() -> list[str]:
    """Return the addresses that network devices were made with, not those of bridges or drawn at random."""
    found = []
    with suppress(OSError):
        for name in os.listdir(_NETWORK):
            with suppress(OSError):
                device = f"{_NETWORK}/{name}"
                if _read(f"{device}/addr_assign_type") == "0" and os.path.exists(f"{device}/device"):
                    found.append(_read(f"{device}/address"))
    return sorted(found)


def _space() -> str:
    """Return the namespaces of this process's pids and start times; "" if /proc shows the pids of others.

    /proc is of the pid namespace that mounted it. NSpid lists the pids of a process from there down to
    its own namespace, so that it is a single one where the two are the same. Start times of /proc are
    shifted by the time namespace of whoever reads them.
    """
    pids = re.search(r"^NSpid:(.*)$", _read("/proc/self/status"), re.MULTILINE)
    if pids is None or pids[1].split() != [str(os.getpid())]:
        return ""
    return f"{_namespace('pid')} {_namespace('time')}"


def _namespace(kind: str) -> str:
    try:
        return os.readlink(f"/proc/self/ns/{kind}")
    except FileNotFoundError:
        return ""  # a kernel before this kind of namespace: all processes are in one


def _start_time(pid: int) -> str | None:
    """Return the start time of a living process, None when there is none; a zombie no longer lives."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        _require_gone(pid)
        return None
    if len(fields) < 20:
        raise OSError(f"/proc/{pid}/stat is not as Linux writes it")
    state, threads, start = fields[0], fields[17], fields[19]
    if state in "ZX" and threads in ("0", "1"):  # with more, only its first thread has ended
        return None
    return start


def _require_gone(pid: int) -> None:
    """Raise `OSError` unless there is no such process: /proc may hide those of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    raise OSError(f"process {pid} is there, but /proc does not show it")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()
