"""Training scripts on a simulated system: they start, train, fail, start over, and end when all is done."""

from __future__ import annotations

import hashlib
import math
import os
import stat
import sys
import time
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hoptim
from tests.builders import described
from tests.simulated.faults import Injected
from tests.simulated.install import installed
from tests.simulated.judge import FOLDER, JOURNAL, SNAPSHOT, Judge, TrainingFailed
from tests.simulated.machine import Process
from tests.simulated.scheduler import Stuck
from tests.simulated.system import System
from tests.simulated.world import LEASE, World


@dataclass(frozen=True)
class Follow(hoptim.Optimizer):
    """Continues one's own weights, or now and then the best ones; draws when there are none."""

    def propose(self, view: hoptim.View, member: int, rng: np.random.Generator) -> hoptim.Proposal:
        population = view.population
        row = population.row(member)
        if row is None or not len(population.ranking):
            return hoptim.Proposal(None, np.array([rng.random()]))
        if rng.random() < 0.4 or not population.healthy[row]:
            row = int(population.ranking[0])
        return hoptim.Proposal(int(population.number[row]), population.x[row])


class Simulation:
    """One study in one schedule."""

    World: type[World] = World
    patience: float | None = 0.05  # of those who are impatient

    def __init__(self, seed: int, mutant: str | None = None, trace: bool = False) -> None:
        self.world = self.World(seed, mutant, trace)
        self.rng = rng = self.world.rng
        self.system = System(self.world)
        self.workers = rng.choice((2, 3, 3, 4))
        self.size, self.steps = rng.choice((2, 3)), rng.choice((3, 3, 4))
        self.lead, self.patience = rng.choice((0, 1, 1)), rng.choice((None, None, None, self.patience))
        self.judge = self._judge()
        self.finished = False

    def run(self) -> list[str]:
        """What is wrong with the store."""
        world, loaded = self.world, set(sys.modules)
        with self._installed():
            try:
                for _ in range(self.workers):
                    world.spawn(self._work, self.rng.uniform(0, 0.01))
                world.run(self._ended)
                world.faults.left = 0
                world.spawn(self._look)
                world.run(lambda cut: None)
                self.judge.conclude(self.size, self.steps)
            except Stuck as error:
                self.judge.wrong.append(f"Stuck: {error}")
            finally:
                world.end()
        if late := sys.modules.keys() - loaded:
            self.judge.wrong.append(f"imported within a schedule, not by load_dependencies: {sorted(late)}")
        return self.judge.wrong

    def _judge(self) -> Judge:
        return Judge(self.system, self.patience)

    def _installed(self) -> AbstractContextManager[object]:
        return installed(self.system)

    def digest(self) -> str:
        """Of the journal's bytes."""
        with suppress(FileNotFoundError):
            return hashlib.sha256(self.world.fs.find(JOURNAL).data).hexdigest()[:16]
        return "none"

    def _ended(self, cut: bool) -> None:
        """Somebody starts the script again, unless it said that all is done; after a power cut anyhow."""
        self.finished = self.finished and not cut
        if not self.finished and not self.judge.wrong:
            for _ in range(self.workers if cut else 1):
                self.world.spawn(self._work, self.rng.uniform(0, 0.05))

    # -- a process

    def _open(self) -> hoptim.Study:
        return hoptim.Study(
            FOLDER, space={"x": hoptim.Float(0.0, 1.0)}, optimizer=Follow(), mode="min",
            size=self.size, steps=self.steps, lead=self.lead, lease=LEASE, lock_timeout=self.patience,
        )  # fmt: skip

    def _work(self, process: Process) -> None:
        """A script and its exit."""
        own: list[hoptim.Study] = []
        for part in (self._script, self._exit):
            try:
                part(process, own)
            except (KeyboardInterrupt, SystemExit):
                pass
            except Exception as error:
                self.judge.hear(error)
        process.exiting = True

    def _script(self, process: Process, own: list[hoptim.Study]) -> None:
        """Train; after an error perhaps start over in the same process."""
        for _ in range(4):
            try:
                if not own:
                    own.append(self._open())
                self._loop(process, own[0])
                self.finished = self.finished or own[0].done
            except hoptim.StudyFailed:
                self.finished = True
            except Exception as error:
                self.judge.hear(error)
            if self.finished or self.rng.random() < 0.4:
                return
            time.sleep(self.rng.uniform(0, 0.05))

    def _exit(self, process: Process, own: list[hoptim.Study]) -> None:
        """What `atexit` does."""
        for study in own:
            study._session.store.leave()

    def _loop(self, process: Process, study: hoptim.Study) -> None:
        trials: Any = iter(study)
        with closing(trials):
            for trial in trials:
                self._train(process, trial)
                if self.rng.random() < 0.1:
                    self._share(study)
                if self.rng.random() < 0.02:
                    break

    def _train(self, process: Process, trial: hoptim.Trial) -> None:
        self._continue(process, trial)
        if (pause := self.rng.random()) < 0.5:
            long = pause < (0.2 if process.stopped else 0.02)  # who was stopped may be given up by now
            time.sleep(LEASE * self.rng.uniform(0.5, 2) if long else self.rng.expovariate(200))
        way = self.rng.random()
        if way < 0.03:
            raise TrainingFailed
        if way < 0.06:
            with suppress(hoptim.ClaimLost):
                trial.fail("the simulation said so", retry=way < 0.05)
        else:
            self._tell(trial, math.nan if way < 0.1 else None if way < 0.35 else self.rng.random())

    def _continue(self, process: Process, trial: hoptim.Trial) -> None:
        """Take the parent's weights, from memory or from its checkpoint."""
        memory = process.own.setdefault("memory", {})
        if trial.continues:
            if memory.get("weights") != trial.parent:
                self.judge.wrong.append(f"trial {trial.number} does not continue {memory.get('weights')}")
        elif trial.checkpoint is not None:
            self._load(trial)
        elif trial.parent is not None:
            self.judge.wrong.append(f"trial {trial.number} has a parent and no checkpoint")
        memory["weights"] = trial.number

    def _load(self, trial: hoptim.Trial) -> None:
        try:
            found = read(str(trial.checkpoint))
        except Injected as error:
            raise TrainingFailed from error
        except OSError as error:
            if trial.token in self.judge.held():  # else it was taken back, and with it the pin
                self.judge.wrong.append(f"the checkpoint of trial {trial.parent} is not there: {error}")
        else:
            if found != weights(trial.parent):
                self.judge.wrong.append(f"the checkpoint of trial {trial.parent} is not whole")

    def _share(self, study: hoptim.Study) -> None:
        """Read pinned checkpoints for a while, as a fork does; they must stay whole."""
        store = study._session.store
        try:
            with store.pin(lambda state: state.saved) as pin:
                pinned = dict(store.state.saved)
                time.sleep(LEASE * self.rng.uniform(0, 1.5))
                paths = {n: store.checkpoints.path(saved.name) for n, saved in pinned.items()}
                lost = [number for number, path in paths.items() if not is_whole(path, number)]
                pin.require()
                self.judge.wrong += [
                    f"the pinned checkpoint of trial {number} is not whole" for number in lost
                ]
        except hoptim.CheckpointError:  # it stood still for so long that its pins were removed
            return
        except Injected as error:
            raise TrainingFailed from error

    def _tell(self, trial: hoptim.Trial, value: float | None) -> None:
        """Tell, or advance without a value; after an error mostly again."""
        failed = value is not None and math.isnan(value)
        while True:
            try:
                self._end(trial, value)
            except hoptim.ClaimLost:
                return
            except (hoptim.StoreError, hoptim.LockTimeout, TrainingFailed) as error:
                if self.rng.random() < 0.3:
                    raise
                self.judge.hear(error)
                time.sleep(0.01)
            else:
                self.judge.acknowledged.append((trial.number, "nan" if failed else value))
                return

    def _end(self, trial: hoptim.Trial, value: float | None) -> None:
        if value is None:
            trial.advance(lambda path: save(path, trial.number))
        else:
            trial.tell(value, save=None if math.isnan(value) else lambda path: save(path, trial.number))

    def _look(self, process: Process) -> None:
        """The last process finds all done, saved checkpoints whole, and the same without a snapshot."""
        try:
            study = self._open()
            if not study.done:
                self.judge.wrong.append("not all is done at the end")
            for trial in study.trials:
                if trial.checkpoint is not None and read(trial.checkpoint) != weights(trial.number):
                    self.judge.wrong.append(f"what trial {trial.number} saved is not whole at the end")
            with suppress(FileNotFoundError):
                os.unlink(SNAPSHOT)
            for name, said in described(self._open()._session.store.refresh()).items():
                if said != described(study._session.store.state)[name]:
                    self.judge.wrong.append(f"{name} is not what it is without the snapshot, {said}")
        except Exception as error:
            self.judge.hear(error)
        process.exiting = True


def weights(number: int | None) -> bytes:
    """The checkpoint of a trial."""
    return f"weights of trial {number};".encode() * 9


def save(path: str, number: int) -> None:
    """Write a checkpoint in pieces: a file, or a folder of two."""
    try:
        if number % 3 == 0:
            os.mkdir(path)
        for name in ("/a", "/b") if number % 3 == 0 else ("",):
            fd = os.open(path + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            data = weights(number)
            while data:
                data = data[os.write(fd, data[:100]) :]
            os.close(fd)
    except OSError as error:  # one that was drawn, or the draft went with the claim
        raise TrainingFailed from error


def is_whole(path: str, number: int) -> bool:
    """Whether the weights of a trial are at a path."""
    try:
        return read(path) == weights(number)
    except FileNotFoundError:
        return False


def read(path: str) -> bytes:
    """The weights at a path; of a folder, of both files if they are alike."""
    if stat.S_ISDIR(os.stat(path).st_mode):
        a, b = Path(path, "a").read_bytes(), Path(path, "b").read_bytes()
        return a if a == b else b""
    return Path(path).read_bytes()
