"""What the store must never do with a study in a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from psycopg import Error

import hoptim
from tests.simulated.filesystem import File, Folder
from tests.simulated.judge import FOLDER, JOURNAL, Judge, good
from tests.simulated.machine import Process
from tests.simulated.postgres.failures import is_drawn
from tests.simulated.postgres.server import Lines
from tests.simulated.system import System

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session
    from tests.simulated.postgres.world import DatabaseWorld


class DatabaseJudge(Judge):
    """Collects what is wrong; the journal that it reads is made of the rows that are committed.

    Args:
        system: The system that the store runs on.
        world: The world with the server.
        patience: The processes' `lock_timeout`.
        lost: Called when the server lost some commits.
    """

    def __init__(
        self, system: System, world: DatabaseWorld, patience: float | None, lost: Callable[[], object]
    ) -> None:
        super().__init__(system, patience)
        self._server, self._tell_of_loss = world.server, lost
        world.server.watch, world.server.lose = self._committed, self._lost
        self._losers: set[Process] = set()  # who recorded something that a server lost
        self._misled: set[Process] = set()  # those of them that had been told of it
        self._gone: set[int] = set()  # trials of which something was lost
        system.beats, system.makers, system.looks = world.beats, world.makers, world.looks
        world.fs.make(FOLDER, Folder, 0o755, 0.0)
        self._journal: File = world.fs.make(JOURNAL, File, 0o644, 0.0)

    def is_drawn(self, error: BaseException) -> bool:
        """Whether an error may be told: an outage is ridden out, unless `lock_timeout` is less."""
        return is_drawn(error) or (self._patience is not None and isinstance(error, Error))

    def hear(self, error: Exception) -> None:
        """Note an error; whoever misses what it recorded must say so."""
        if not (isinstance(error, hoptim.StudyDamaged) and self._world.process in self._losers):
            super().hear(error)

    def _lost(self, session: Session, lines: Lines) -> None:
        self._tell_of_loss()
        self._losers.add(session.client.process)
        if session.client.recorded >= lines[-1][0]:
            self._misled.add(session.client.process)
        self._gone |= {record["trial"] for record in good(_journal(lines)) if "trial" in record}

    def _committed(self, session: Session, lines: Lines) -> None:
        if session.client.process in self._misled:
            self.wrong.append(f"record {lines[0][0]} is of a process whose earlier ones were lost")
        self._write_down()
        self._judge_appended(_journal(lines), session.client.process)

    def conclude(self, size: int, steps: int) -> None:
        """Compare the rows with what was acknowledged, once every step should be done."""
        self._write_down()
        self.acknowledged = [told for told in self.acknowledged if told[0] not in self._gone]
        super().conclude(size, steps)

    def _write_down(self) -> None:
        self._journal.data = _journal(self._server.lines())

    def _is_there(self, sign: str) -> bool:
        kind, name = sign.split("/")[-2:]
        return any(key[0] == "sign" and key[2:] == (kind, name) for key in self._server.rows)


def _journal(lines: Lines) -> bytes:
    return "".join(f"{line}\n" for _, line in lines).encode()
