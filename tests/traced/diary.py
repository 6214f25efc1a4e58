"""What a process under test notes outside the study, and how it goes on when a call fails."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import hoptim
from tests import builders
from tests.traced import tracer
from tests.traced.tracer import Fault

T = TypeVar("T")


class Unsaved(Exception):
    """The training script's own part of a save failed."""


class Diary:
    """Acknowledgements and complaints, kept where no call is made to fail.

    Args:
        folder: The study's directory.
        notes: A file; one JSON value a line.
        fault: What this process is up against, None for one that recovers.
    """

    def __init__(self, folder: Path, notes: Path, fault: Fault | None = None) -> None:
        self.folder, self.notes, self.fault = folder, notes, fault
        self.robbed = False

    def note(self, kind: str, what: object) -> None:
        """Add a line."""
        with self.notes.open("a") as file:
            file.write(json.dumps([kind, what]) + "\n")

    def noted(self, kind: str) -> list[Any]:
        """All lines of a kind, whoever wrote them."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [what for found, what in map(json.loads, lines) if found == kind]

    def open(self, **changes: Any) -> hoptim.Study:
        """The study of the script."""
        arguments = {"size": 2, "steps": 2, "lease": 600.0, **changes}
        return self.attempt(lambda: builders.study(self.folder, **arguments))

    def trials(self, study: hoptim.Study) -> Iterator[hoptim.Trial]:
        """Iterate over a study, and begin again when that fails."""
        failures = 0
        while True:
            try:
                for trial in study:
                    self.inspect(trial)
                    yield trial
                return
            except hoptim.HoptimError as error:
                failures += 1
                self.bear(error, failures)

    def attempt(self, call: Callable[[], T]) -> T:
        """Call until it works: at once after what fails once, else when that is cured."""
        failures = 0
        while True:
            try:
                return call()
            except (hoptim.HoptimError, Unsaved) as error:
                failures += 1
                self.bear(error, failures)

    def tell(self, trial: hoptim.Trial, value: float | None = None, **how: Any) -> None:
        """Tell a trial its value, and note that it was acknowledged."""
        value = builders.loss(trial) if value is None else value
        self.attempt(lambda: trial.tell(value, **how))
        self.note("told", [trial.number, "nan" if math.isnan(value) else value])

    def inspect(self, trial: hoptim.Trial) -> None:
        """Complain if what a trial continues from is not there, or not whole."""
        tracer.pause()
        parent = trial.parent
        if parent is not None and (trial.checkpoint is None or not whole(trial.checkpoint, parent)):
            self.note("wrong", f"trial {trial.number} cannot load {trial.checkpoint} of trial {parent}")
        tracer.arm()

    def bear(self, error: Exception, failures: int) -> None:
        """Judge an error, and go on; what fails until cured is cured after the second."""
        fault = self.fault
        if fault is None or fault.kind not in ("fail", "stick", "late"):
            raise error
        if failures > (2 if fault.kind == "stick" else 1):
            raise error
        tracer.pause()
        self.note("borne", str(error))
        if not isinstance(error, Unsaved):
            text = str(error)
            if str(self.folder.parent) not in text or os.strerror(fault.argument) not in text:
                self.note("wrong", f"no path or no cause in {type(error).__name__}: {text}")
            for kept in self._kept():
                self.note("wrong", f"{kept} after {type(error).__name__}: {text}")
        if failures == 2:
            tracer.cure()
        tracer.arm()

    def _kept(self) -> Iterator[str]:
        """What a call that failed has not let go of."""
        for name in ("queue", "lock"):
            with suppress(FileNotFoundError):
                fd = os.open(self.folder / name, os.O_RDWR)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield f"the file {name} is kept locked"
                os.close(fd)
        if self.fault is None or self.fault.kind == "late":
            return  # of an open that worked and said that it had not, nobody knows the descriptor
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):
                path = os.readlink(f"/proc/self/fd/{number}")
                if path.startswith(str(self.folder)) and not os.path.isdir(path):
                    yield f"{path} is kept open"


def file(number: int) -> Callable[[str], None]:
    """A save that writes a file."""

    def save(path: str) -> None:
        try:
            Path(path).write_text(f"weights of {number}")
        except OSError as error:
            raise Unsaved from error

    return save


def folder(number: int) -> Callable[[str], None]:
    """A save that makes a folder."""

    def save(path: str) -> None:
        try:
            shutil.rmtree(path, ignore_errors=True)
            (Path(path) / "deep").mkdir(parents=True)
            (Path(path) / "a").write_text(f"weights of {number}")
            (Path(path) / "deep" / "b").write_text(f"state of {number}")
        except OSError as error:
            raise Unsaved from error

    return save


def whole(checkpoint: str, number: int) -> bool:
    """Whether a checkpoint is all that was saved for a trial."""
    path = Path(checkpoint)
    try:
        if path.is_file():
            return path.read_text() == f"weights of {number}"
        texts = ((path / "a").read_text(), (path / "deep" / "b").read_text())
        return texts == (f"weights of {number}", f"state of {number}")
    except OSError:
        return False


def look(diary: Diary) -> None:
    """Complain about what is in a study's folder and should not be, and about what is missing."""
    study = hoptim.load(diary.folder)
    saved = {Path(t.checkpoint).name: t for t in study.trials if t.checkpoint}
    for trial in saved.values():
        if not whole(str(trial.checkpoint), trial.number):
            diary.note("wrong", f"{trial.checkpoint} is missing or not whole")
    allowed = {
        ".": {
            "study.json",
            "journal.jsonl",
            "lock",
            "queue",
            "reserve",
            "snapshot.json",
            "workers",
            "pins",
            "checkpoints",
            "scratch",
        },
        "pins": set(),
        "..": {diary.folder.name, "forked"},
        "checkpoints": saved.keys(),
        "scratch": set(),
    }
    passing: tuple[str, ...] = ("journal.jsonl.torn-",)
    if study.done:
        allowed["workers"] = set()
    else:  # the next worker tidies up
        passing += (".snapshot.json-",)
    for place, names in allowed.items():
        with suppress(FileNotFoundError):
            found = {name for name in os.listdir(diary.folder / place) if not name.startswith(passing)}
            if more := sorted(found - names):
                diary.note("wrong", f"left behind in {place}: {more}")
    builders.recompute(diary.folder)
