"""What the store must never do with a study in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hoptim
from tests.simulated.filesystem import File, Folder
from tests.simulated.judge import FOLDER, JOURNAL, Judge
from tests.simulated.postgres.failures import is_drawn
from tests.simulated.postgres.server import Lines
from tests.simulated.system import System

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session
    from tests.simulated.postgres.world import DatabaseWorld


class DatabaseJudge(Judge):
    """Collects what is wrong; the journal that it reads is made of the rows that are committed."""

    def __init__(self, system: System, world: DatabaseWorld, patience: float | None) -> None:
        super().__init__(system, patience)
        self._server = world.server
        world.server.watch = self._committed
        system.beats, system.makers, system.looks = world.beats, world.makers, world.looks
        world.fs.make(FOLDER, Folder, 0o755, 0.0)
        self._journal: File = world.fs.make(JOURNAL, File, 0o644, 0.0)

    def is_drawn(self, error: BaseException) -> bool:
        """Whether an error is one of the server or of the network, or says that a hold was cut off."""
        return is_drawn(error) or (isinstance(error, hoptim.HoldLost) and self._server.has_lost)

    def _committed(self, session: Session, lines: Lines) -> None:
        self._write_down()
        self._judge_appended(_journal(lines), session.client.process)

    def conclude(self, size: int, steps: int) -> None:
        """Compare the rows with what was acknowledged, once every step should be done."""
        self._write_down()
        super().conclude(size, steps)

    def _write_down(self) -> None:
        self._journal.data = _journal(self._server.lines())

    def _is_there(self, sign: str) -> bool:
        kind, name = sign.split("/")[-2:]
        return any(key[0] == "sign" and key[2:] == (kind, name) for key in self._server.rows)


def _journal(lines: Lines) -> bytes:
    return "".join(f"{line}\n" for _, line in lines).encode()
