"""Hosts and processes: what each has to itself."""

from __future__ import annotations

import random
from typing import Any

FIRST_PID = 1 << 22  # no real process has such a pid


class Machine:
    """A host: its boot, its clocks, its processes, and what it remembers of a server's files."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self.offset, self.origin = 1.7e9 + rng.uniform(-1e4, 1e4), rng.uniform(0, 1e6)
        self.rate = 1 + rng.uniform(-1e-3, 1e-3)
        self.boot(rng)

    def boot(self, rng: random.Random) -> None:
        """Begin anew."""
        self.boot_id = f"{rng.getrandbits(64):016x}"
        self.processes: dict[tuple[int, int], Process] = {}  # by pid namespace and pid
        self.contents: dict[object, tuple[float, bytes]] = {}  # of a server's files, and since when
        self.attributes: dict[object, tuple[float, Any]] = {}

    def time(self, now: float) -> float:
        """Seconds since 1970, as this machine believes."""
        return self.offset + now * self.rate

    def monotonic(self, now: float) -> float:
        """Seconds since it does not say when."""
        return self.origin + now * self.rate

    def start_process(self, space: int, serial: int) -> Process:
        """A process with the lowest pid that none in its namespace has; it is used again at once."""
        known = self.processes
        pid = FIRST_PID
        while (space, pid) in known and not known[space, pid].dead:
            pid += 1
        process = known[space, pid] = Process(self, space, pid, serial)
        return process


class Process:
    """A process, the serial-th of all.

    Attributes:
        exiting: Whether its script is over; nothing of it acts any more.
        zombie: Whether it is dead and still listed.
        stopped: Until when it is stopped.
        refused: What its next call that can fail meets.
        signal: What the next call of its main thread meets.
        own: Objects that the library keeps in its modules.
    """

    def __init__(self, machine: Machine, space: int, pid: int, serial: int) -> None:
        self.machine, self.space, self.pid, self.serial = machine, space, pid, serial
        self.name = f"{machine.name}/{space}/{pid - FIRST_PID}#{serial}"
        self.dead = self.exiting = self.zombie = False
        self.stopped = 0.0
        self.refused = ""
        self.signal = 0
        self.main: Any = None  # its first thread
        self.threads = 0  # that it has had
        self.own: dict[str, Any] = {}
        self.descriptors: dict[int, Any] = {}
