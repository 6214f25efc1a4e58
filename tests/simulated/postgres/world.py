"""A world with a server in it: processes on machines, a network, and what goes wrong with all of them."""

from __future__ import annotations

from tests.simulated.faults import Faults
from tests.simulated.judge import FOLDER
from tests.simulated.machine import Machine, Process
from tests.simulated.postgres.connection import Connection
from tests.simulated.postgres.server import Server
from tests.simulated.world import LEASE, World


class DatabaseFaults(Faults):
    """The faults of a schedule, by the kind of the message that meets them."""

    weights = {
        "kill": 5, "pause": 2, "stop": 3, "signal": 2, "cut": 6, "refuse": 3, "end": 4, "restart": 2,
        "away": 2, "promote": 1,
    }  # fmt: skip
    focuses = ((), (), ("record",), ("record", "take"), ("await", "record"), ("connect", "take"), ("poll",))
    scripts = (
        (("cut", "record"), ("restart", "take")),
        (("cut", "record"), ("cut", "take"), ("cut", "record")),
        (("stop", "record"), ("end", "sign"), ("kill", "record")),
        (("away", "record"), ("end", "sign")),
        (("promote", "record"), ("kill", "take")),
        (("cut", "record"), ("promote", "take")),
        (("stop", "record"), ("promote", "sign"), ("promote", "record")),
        (("restart", "record"), ("cut", "record"), ("kill", "take")),
    )
    place = ""


class DatabaseWorld(World):
    """One schedule.

    Attributes:
        server: The server.
        connections: All that were ever opened.
        portion: Most records that are read at once.
        few: Most records of others that are read by the way.
        beats: Moments at which the server was told of a sign's life, by the sign's path.
        makers: Process that made each sign.
        looks: Last look of each process at a sign.
    """

    longest = 30_000

    def __init__(self, seed: int, mutant: str | None = None, trace: bool = False) -> None:
        super().__init__(seed, mutant, trace)
        self.nfs = False
        self.faults = DatabaseFaults(self.rng)
        self.server, self.connections = Server(self), list[Connection]()
        self.beats: dict[str, list[float]] = {}
        self.makers: dict[str, Process] = {}
        self.looks: dict[tuple[Process, str], float] = {}
        self.portion, self.few = self.rng.choice((2, 3, 10, 5000)), self.rng.choice((0, 16))
        self._latency, self._pace = self.rng.choice((0, 0, 2e-4, 2e-3)), self.rng.choice((0, 0, 1e-4, 1e-3))
        self._back: dict[Machine, float] = {}  # when a machine is in the network again

    def delay(self, process: Process) -> float:
        """Seconds that something takes between a process and the server."""
        return self._latency + max(0.0, self._back.get(process.machine, 0.0) - self.now)

    def pause(self) -> float:
        """Seconds between two statements."""
        return self.rng.expovariate(1 / self._pace) if self._pace else 0.0

    def _strike(self, kind: str) -> None:
        rng = self.rng
        if kind in ("cut", "refuse"):
            self.process.own["mishap"] = kind
        elif kind == "end":
            if sessions := self.server.sessions:
                rng.choice(sessions).end("57P01")
        elif kind == "restart":
            self.server.restart(LEASE * rng.choice((0.01, 0.1, 1, 3)))
        elif kind == "promote":
            self.server.promote(LEASE * rng.choice((0.01, 0.5)), rng.choice((1, 1, 2, 5)))
        elif kind == "away":
            self._back[self.process.machine] = self.now + LEASE * rng.choice((0.1, 1, 2, 4, 15))
        else:
            super()._strike(kind)
            return
        if self.trace is not None:
            self.trace.append(f"-- {kind} ({self.process.name})")

    def _bury(self, process: Process) -> None:
        super()._bury(process)
        late = self.rng.choice((0, 0, 0, 0, 0, 0.1, 2, 25))  # at last, if its machine is gone with it
        for connection in self.connections:
            if connection.process is process:
                connection.hang_up(late)

    # -- signs of life, as the judge wants to know of them

    def shown(self, kind: str, names: list[str], process: Process) -> None:
        """Note signs that are made."""
        for name in names:
            path = f"{FOLDER}/{kind}/{name}"
            self.beats[path], self.makers[path] = [self.now], process

    def beaten(self, kind: str, names: list[str]) -> None:
        """Note a beat."""
        for name in names:
            self.beats[f"{FOLDER}/{kind}/{name}"].append(self.now)

    def looked(self, kind: str, name: str, process: Process) -> None:
        """Note a look."""
        self.looks[process, f"{FOLDER}/{kind}/{name}"] = self.now
