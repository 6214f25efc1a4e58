"""What the store must never do, watched from outside while processes train, and once all is done."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hoptim
from hoptim.store.liveness import LEASES_OF_THE_LIVING
from tests import reader
from tests.simulated.faults import Injected
from tests.simulated.machine import Process
from tests.simulated.scheduler import ROOT
from tests.simulated.system import System
from tests.simulated.world import LEASE

FOLDER = f"{ROOT}/study"
JOURNAL = f"{FOLDER}/journal.jsonl"
SNAPSHOT = f"{FOLDER}/snapshot.json"


class TrainingFailed(Exception):
    """The user's own code met an error."""


class Judge:
    """Collects what is wrong.

    Args:
        system: The system that the store runs on.
        patience: The processes' `lock_timeout`.

    Attributes:
        acknowledged: Trial and value of each tell that returned.
        wrong: What the store did wrong, in words.
    """

    def __init__(self, system: System, patience: float | None) -> None:
        self._system, self._world, self._patience = system, system.world, patience
        self.acknowledged: list[tuple[int, Any]] = []
        self.wrong: list[str] = []
        system.watch, system.world.unhandled = self._appended, self.hear

    def hear(self, error: Exception) -> None:
        """Note an error, unless it was drawn and came as the store's own, or is a lock's time-out."""
        own = isinstance(error, hoptim.StoreError)
        drawn = own and any(self.is_drawn(cause) for cause in _causes(error))
        late = isinstance(error, hoptim.LockTimeout) and self._patience is not None
        if not (drawn or late or isinstance(error, (TrainingFailed, hoptim.StudyFailed))):
            frames = [f for f in traceback.extract_tb(error.__traceback__) if "hoptim/" in f.filename]
            where = " < ".join(f"{Path(f.filename).stem}.{f.name}:{f.lineno}" for f in frames[:-4:-1])
            self.wrong.append(f"{type(error).__name__} in {where}: {error}")

    def is_drawn(self, error: BaseException) -> bool:
        """Whether an error is one of those that go wrong in a schedule."""
        return isinstance(error, Injected)

    def held(self) -> dict[int, str]:
        """Claims that are held, with their workers, by what everybody can read now."""
        held: dict[int, str] = {}
        for record in self._records():
            _fold(held, record)
        return held

    def _records(self) -> list[dict[str, Any]]:
        return list(good(self._world.fs.find(JOURNAL).data))

    def conclude(self, size: int, steps: int) -> None:
        """Compare the journal with what was acknowledged, once every step should be done."""
        try:
            wrong, places = reader.judge(Path(JOURNAL), self.acknowledged)
        except (OSError, ValueError, KeyError) as error:
            self.wrong.append(f"the journal cannot be read: {error!r}")
            return
        self.wrong += wrong
        if places != [(member, step) for member in range(size) for step in range(steps)]:
            self.wrong.append(f"not every step was done once: {places}")

    def _appended(self, path: str, data: bytes) -> None:
        """Whoever takes a claim back must have a proof of death, or have seen no sign for a lease."""
        if path == JOURNAL:
            self._judge_appended(data, self._world.process)

    def _judge_appended(self, data: bytes, looker: Process) -> None:
        if b'"op":"reclaim"' not in data:
            return
        held, count = self.held(), len(self._records())
        for record in good(data):
            if record["n"] >= count:  # else it is there already, and only written again
                worker = held.get(record.get("token", -1), "")
                if record["op"] == "reclaim" and self._lives(worker, looker):
                    self.wrong.append(f"the claim of {worker} was taken though it lives and beat")
                _fold(held, record)

    def _lives(self, worker: str, looker: Process) -> bool:
        """Whether a worker lives and gave a sign that whoever looked last had to see.

        One that the looker can prove to live is given ten leases, as long as it shows its file.
        """
        world, sign = self._world, f"{FOLDER}/workers/{worker}"
        looked = self._system.looks.get((looker, sign), -math.inf)
        visible = looked - (world.cached if world.nfs else 0)
        leases = LEASES_OF_THE_LIVING if self._is_beside(sign, looker) else 1
        since = looked - leases * LEASE * 0.998  # the slowest clock and the fastest
        beats = [beat for beat in self._system.beats.get(sign, ()) if since < beat < visible]
        return bool(beats) and not self._system.makers[sign].dead

    def _is_beside(self, sign: str, looker: Process) -> bool:
        """Whether the maker of a sign that is there is in the same pid namespace as the looker."""
        maker = self._system.makers.get(sign)
        if maker is None or not self._is_there(sign):
            return False
        return (maker.machine, maker.space) == (looker.machine, looker.space)

    def _is_there(self, sign: str) -> bool:
        try:
            self._world.fs.find(sign)
        except OSError:
            return False
        return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def good(data: bytes) -> Iterator[dict[str, Any]]:
    """Records up to the first that nobody could read."""
    with suppress(ValueError):
        for line in data.splitlines():
            yield json.loads(line[9:])


def _fold(held: dict[int, str], record: dict[str, Any]) -> None:
    if record["op"] == "ask":
        held[record["n"]] = record["worker"]
    elif record["op"] in ("tell", "fail", "release", "reclaim"):
        held.pop(record["token"], None)
