"""Training scripts on a study in a simulated database, whose trials have no checkpoints."""

from __future__ import annotations

import hashlib
import random
import select
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import hoptim
import hoptim.store.postgres.backend  # with all that a schedule would import late
from hoptim.store.postgres import database, rows, signs, turn
from tests.simulated.install import Own, installed
from tests.simulated.machine import Process
from tests.simulated.postgres.connection import Poll, connect
from tests.simulated.postgres.judge import DatabaseJudge
from tests.simulated.postgres.world import DatabaseWorld
from tests.simulated.study import Follow, Simulation
from tests.simulated.system import System
from tests.simulated.threads import only_here
from tests.simulated.world import LEASE

PACKAGE = "hoptim.store.postgres."
URL = "postgresql://sim@server/studies?study=simulated"


class DatabaseSimulation(Simulation):
    """One study in one schedule."""

    World = DatabaseWorld
    world: DatabaseWorld
    patience = 0.5  # a server notices late that a holder is gone

    def _judge(self) -> DatabaseJudge:
        return DatabaseJudge(self.system, self.world, self.patience, self._put_back)

    def _put_back(self) -> None:
        """What was done may be lost."""
        self.finished = False

    def _installed(self) -> AbstractContextManager[object]:
        return connected(self.system, self.world)

    def digest(self) -> str:
        """Of the records."""
        return hashlib.sha256(repr(self.world.server.lines()).encode()).hexdigest()[:16]

    def _open(self) -> hoptim.Study:
        return hoptim.Study(
            URL, space={"x": hoptim.Float(0.0, 1.0)}, optimizer=Follow(), mode="min",
            size=self.size, steps=self.steps, lead=self.lead, lease=LEASE, lock_timeout=self.patience,
        )  # fmt: skip

    def _exit(self, process: Process, own: list[hoptim.Study]) -> None:
        """As for a directory; who exits does not wait for a server that is away for more than 10 s."""
        with suppress(hoptim.LockTimeout, hoptim.StoreError):
            super()._exit(process, own)

    def _continue(self, process: Process, trial: hoptim.Trial) -> None:
        """There are no weights."""

    def _share(self, study: hoptim.Study) -> None:
        """There is nothing to pin."""

    def _end(self, trial: hoptim.Trial, value: float | None) -> None:
        if value is None:
            trial.advance()
        else:
            trial.tell(value)


@contextmanager
def connected(system: System, world: DatabaseWorld) -> Iterator[None]:
    """Answer calls of this thread by a simulated system, and those of the driver by its server."""
    with installed(system):
        changes = list(_changes(world))
        old = [getattr(owner, name) for owner, name, _ in changes]
        for owner, name, new in changes:
            setattr(owner, name, new)
        try:
            yield
        finally:
            for (owner, name, _), found in zip(changes, old, strict=True):
                setattr(owner, name, found)


def _changes(world: DatabaseWorld) -> Iterator[tuple[Any, str, Any]]:
    yield database, "_connected", only_here(lambda _: connect(world, world.server), database._connected)
    yield database, "_jitter", random.Random(world.rng.random())
    yield database, "_shared", Own(world, "databases", database._shared)
    yield signs, "_lines", Own(world, "lines", signs._lines)
    yield turn, "_registry", Own(world, "turns", turn._registry)
    poll = only_here(lambda: Poll(world), select.poll)
    for module in [module for name, module in sys.modules.items() if name.startswith(PACKAGE)]:
        if getattr(module, "select", None) is select:
            yield module, "select", SimpleNamespace(poll=poll, POLLIN=select.POLLIN)
        for name in sorted({"FEW", "_FEW", "_MOST"} & vars(module).keys()):  # so few records are many
            yield module, name, world.portion if module is rows else world.few
