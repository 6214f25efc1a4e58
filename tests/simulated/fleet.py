"""A fleet: many workers that train one study on a simulated system, in virtual time."""

from __future__ import annotations

import fcntl
import gc
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import hoptim
from tests.simulated.install import installed
from tests.simulated.judge import FOLDER, JOURNAL
from tests.simulated.machine import Process
from tests.simulated.system import System
from tests.simulated.timed import Storage, TimedWorld

_QUEUE = f"{FOLDER}/queue"
_STEPS = 10**6  # more than any fleet gets done
_PER_HOST = 8  # workers
JITTER = 0.1  # trials are shorter or longer by up to this share


class Hold(NamedTuple):
    """One hold of the study's lock.

    Attributes:
        asked: Second at which the lock was first asked for.
        got: Second at which it came.
        released: Second at which it went.
        foreign: Records of others that the holder had not read before.
    """

    asked: float
    got: float
    released: float
    foreign: int


class WatchedSystem(System):
    """A system that keeps who held the study's lock, and for how long."""

    def __init__(self, world: TimedWorld) -> None:
        super().__init__(world)  # type: ignore[arg-type] # it has all of a `World` that is used here
        self.holds: list[Hold] = []
        self._asked: dict[Process, float] = {}
        self._got: dict[Process, tuple[float, int]] = {}
        self._read: dict[Process, int] = {}  # bytes of the journal

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data: bytes = super().pread(fd, size, offset)
        self._note_read(fd, offset + len(data))
        return data

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        written: int = super().pwrite(fd, data, offset)
        self._note_read(fd, offset + written)
        return written

    def _note_read(self, fd: int, end: int) -> None:
        if self.path_of(fd) == JOURNAL:
            me = self.world.process
            self._read[me] = max(end, self._read.get(me, 0))

    def flock(self, fd: int, how: int) -> None:
        world, me, watched = self.world, self.world.process, self.path_of(fd) == _QUEUE
        if watched and not how & fcntl.LOCK_UN:
            self._asked.setdefault(me, world.now)
        super().flock(fd, how)
        if watched and how & fcntl.LOCK_UN and me in self._got:
            got, foreign = self._got.pop(me)
            self.holds.append(Hold(self._asked.pop(me), got, world.now, foreign))
        elif watched:
            self._got[me] = world.now, self._unread(me)

    def _unread(self, me: Process) -> int:
        read = self._read.get(me, 0)
        return self.fs.find(JOURNAL).data.count(b"\n", read) if read else 0


def _save(path: str) -> None:
    """Write a checkpoint of a few bytes: what the store makes of it counts, not the weights."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


class Measured(NamedTuple):
    """What a fleet did within the seconds that were watched.

    Attributes:
        seconds: Length of the window.
        waits: Seconds of each decision, from a tell until the next trial is there; sorted.
        holds: Holds of the lock.
        calls: File calls by name.
    """

    seconds: float
    waits: list[float]
    holds: list[Hold]
    calls: Counter[str]


class Fleet:
    """Workers that train one study.

    Args:
        workers: Number of workers.
        trial: Seconds of a trial.
        storage: File system that they share.
        clock: Seconds of CPU so far, for the time between two calls.
        warm: Seconds until the watched window begins; workers start one after the other within a trial.
        window: Seconds that it takes.
        members: Members of the study. Default: one for each worker.
        lead: Steps that a member may be ahead of the slowest. Default: any number, so that only the lock
            is waited for.
        seed: Seed of all draws. Default: 0.
    """

    def __init__(
        self, workers: int, trial: float, storage: Storage, clock: Callable[[], float], warm: float,
        window: float, *, members: int | None = None, lead: int = _STEPS, seed: int = 0,
    ) -> None:  # fmt: skip
        machines = -(-workers // _PER_HOST) if storage.remote else 1
        self.world = TimedWorld(seed, storage, machines, clock)
        self.system = WatchedSystem(self.world)
        self._workers, self._trial, self._members = workers, trial, members or workers
        self._lead, self._begin, self._end = lead, warm, warm + window
        self._waits: list[float] = []
        self._before: Counter[str] = Counter()

    def run(self) -> Measured:
        """Train until the window ends; whoever trains then is killed."""
        world = self.world
        collects = gc.isenabled()
        gc.disable()  # a collection looks at the objects of all workers, and would be charged to one
        with installed(self.system):
            try:
                world.spawn(lambda process: self._open())
                world.run(lambda cut: None)
                for i in range(self._workers):
                    world.spawn(self._work, self._trial * i / self._workers)
                world.spawn(self._look_on)
                world.run(lambda cut: None)
            finally:
                world.end()
                if collects:
                    gc.enable()
        holds = [hold for hold in self.system.holds if hold.got >= self._begin]
        return Measured(self._end - self._begin, sorted(self._waits), holds, world.counts - self._before)

    def _open(self) -> hoptim.Study:
        space = {"x": hoptim.Float(0.0, 2.0, init=0.8), "y": hoptim.Float(0.0, 2.0, init=0.4)}
        return hoptim.Study(
            FOLDER, space=space, size=self._members, steps=_STEPS, mode="min", seed=0, lead=self._lead
        )

    def _work(self, process: Process) -> None:
        """A worker's script."""
        world, told = self.world, None
        for trial in self._open():
            if told is not None and told >= self._begin:
                self._waits.append(world.now - told)
            time.sleep(self._trial * world.rng.uniform(1 - JITTER, 1 + JITTER))
            told = world.now
            trial.tell(trial.params["x"], save=_save)

    def _look_on(self, process: Process) -> None:
        """A process that notes where the window begins, and ends it."""
        time.sleep(self._begin)
        self._before = Counter(self.world.counts)
        time.sleep(self._end - self._begin)
        self.world.stop()
