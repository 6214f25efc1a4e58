"""Worker processes to kill and stop, forked from one that has imported everything already."""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 - before the fork, so that no worker has to import it
import pytest

import hoptim
from hoptim.store.process_identity import ProcessIdentity
from tests.builders import loss, snapshot_often, study
from tests.notes import Notes, observe
from tests.place import Directory

_AGAIN = 0.5  # seconds at most that a trial takes which was interrupted before


def save(path: str, number: int) -> None:
    """Write a checkpoint that says whose it is: a file, or a folder with two."""
    text = f"weights of {number}\n" * 300
    if number % 2:
        Path(path).mkdir()
        for part in ("a", "b"):
            (Path(path) / part).write_text(text)
    else:
        Path(path).write_text(text)


def is_whole(path: Path, number: int) -> bool:
    """Whether a checkpoint is that of a trial, to the last byte."""
    parts = [path / "a", path / "b"] if number % 2 else [path]
    return all(part.read_text() == f"weights of {number}\n" * 300 for part in parts)


def broken(records: list[dict[str, Any]], folder: Path) -> list[str]:
    """What is wrong with checkpoints: what a tell names is there, as it says, unless it was dropped."""
    dropped = {number for record in records for number in record.get("drops", ())}
    wrong = []
    for record in records:
        if record["op"] != "tell" or record["trial"] in dropped:
            continue
        named = record["checkpoint"]
        path = folder / named["name"]
        try:
            files = [path] if path.is_file() else list(path.iterdir())
            found = (sum(each.stat().st_size for each in files), len(files))
            if found != (named["size"], named["files"]) or not is_whole(path, record["trial"]):
                wrong.append(f"checkpoint {named} is {found}, or not whole")
        except OSError as error:
            wrong.append(f"checkpoint {named} cannot be read: {error}")
    return wrong


class Window:
    """A `keep=` of the steps around that of a worker, so that others find a generation to fork."""

    step = 0

    def __call__(self, trial: hoptim.FinishedTrial) -> bool:
        return trial.step >= self.step - 2


def opened(place: Directory, options: argparse.Namespace, keep: Window) -> hoptim.Study:
    """The study of a herd; without forks beside it keeps as little as ever."""
    return study(
        place.path, size=options.members, steps=options.steps, lease=options.lease,
        max_interruptions=10**9, keep=keep if options.beside else None, checkpoints=place.bucket,
    )  # fmt: skip


def work(place: Directory, note: Notes, options: argparse.Namespace) -> None:
    """Train until all is done, noting what was acknowledged and what was lost."""
    snapshot_often(pytest.MonkeyPatch(), 50)
    window = Window()
    made = opened(place, options, window)
    rng = random.Random(os.getpid())
    note("open")
    for trial in made:
        window.step = trial.step
        note("asked", trial.number, trial.token)
        again = trial.keeper._claim.trial.interruptions  # type: ignore[attr-defined]
        # Whoever lost a trial shall find it open and held by another when coming back.
        time.sleep(rng.uniform(0, max(_AGAIN, 2 * options.pause) if again else 2 * options.pause))
        value = loss(trial)
        try:
            load_parent(trial)
            trial.tell(value, save=partial(save, number=trial.number))
        except hoptim.ClaimLost:
            note("lost", trial.number, trial.token)
        else:
            note("told", trial.number, trial.token, value)


def load_parent(trial: hoptim.Trial) -> None:
    """Fail unless a trial starts from a whole checkpoint; with `ClaimLost` if another has the trial now."""
    try:
        if trial.checkpoint is None or trial.parent is None:
            return
        whole = is_whole(Path(trial.checkpoint), trial.parent)
    except (OSError, hoptim.CheckpointError) as error:  # gone from the folder, or from the bucket
        trial.fail(str(error))  # whoever lost the claim has no right to the checkpoint, and is told so
        raise
    if not whole:
        raise AssertionError(f"{trial.checkpoint} is not the checkpoint of trial {trial.parent}")


class Herd:
    """The worker processes.

    Attributes:
        place: Where the study is.
        live: Serial number of each living worker, by pid.
        stopped: Until when each stopped one sleeps, by pid.
        kills: When which serial number was killed.
        stops: Seconds of each stop, and whether the worker held the study's lock meanwhile.
        crashed: How many ended with an error of their own.
        count: How many there have been.
    """

    def __init__(self, place: Directory, options: argparse.Namespace) -> None:
        self.place, self.notes, self.options = place, place.folder / "notes", options
        self.live: dict[int, int] = {}
        self.stopped: dict[int, float] = {}
        self.kills: dict[int, float] = {}
        self.stops: list[tuple[float, bool]] = []
        self.crashed = self.count = 0
        self.notes.mkdir(parents=True)

    def start(self) -> int:
        """Fork one more worker; its pid."""
        self.count += 1
        (self.notes / str(self.count)).touch()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                note = Notes(self.notes / str(self.count))
                observe(note, self.place)
                if self.is_elsewhere(self.count):
                    ProcessIdentity.mine = ProcessIdentity.of_parent  # type: ignore[method-assign]
                    os.environ["XDG_CACHE_HOME"] = str(self.place.folder / f"cache-{self.count}")
                work(self.place, note, self.options)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        self.live[pid] = self.count
        return pid

    def is_elsewhere(self, serial: int) -> bool:
        """Whether a worker is as one of another host to the others: its lease alone decides about it."""
        return bool(self.options.elsewhere) and serial % 3 == 1

    def kill(self, pid: int) -> None:
        """Kill a worker and wait until it is gone."""
        self.kills[self.live.pop(pid)] = time.time()
        self.stopped.pop(pid, None)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def stop(self, pid: int, seconds: float) -> None:
        """Stop a worker until `resume` wakes it; one that ends first is left to `reap`."""
        os.kill(pid, signal.SIGSTOP)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._ended(pid, status)
            return
        self.stopped[pid] = time.time() + seconds
        self.stops.append((seconds, self.place.is_held_by(pid)))

    def resume(self) -> None:
        """Wake those whose time has come."""
        for pid in [pid for pid, until in self.stopped.items() if time.time() >= until]:
            del self.stopped[pid]
            os.kill(pid, signal.SIGCONT)

    def reap(self) -> None:
        """Take note of those that ended by themselves."""
        while self.live and (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] in self.live:  # those beside note their own ends
                self._ended(*found)

    def end(self) -> None:
        """Leave no process behind."""
        for pid in list(self.live):
            self.kill(pid)

    def _ended(self, pid: int, status: int) -> None:
        del self.live[pid]
        self.stopped.pop(pid, None)
        self.crashed += status != 0
