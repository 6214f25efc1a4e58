"""Runs a scenario with one fault, lets another process recover, and judges what is left."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hoptim.store import shutdown
from tests import reader
from tests.builders import snapshot_often
from tests.traced import tracer
from tests.traced.diary import Diary, look
from tests.traced.scenarios import SCENARIOS, Scenario
from tests.traced.tracer import Call, Fault

_HANGS = 30  # seconds


class Bench:
    """Where cases run, one after another in each process.

    Args:
        folder: Holds a template for each scenario: what is there before.
        mutant: Breaks hoptim in the process that meets the fault.
    """

    def __init__(self, folder: Path, mutant: Callable[[], object]) -> None:
        self.folder, self.mutant = folder, mutant

    def prepare(self, names: Iterable[str]) -> None:
        """Make the templates."""
        for name in names:
            (self.folder / name).mkdir(parents=True)
            SCENARIOS[name].prepare(self.folder / name / "study")

    def run(self, name: str, fault: Fault | None) -> tuple[list[str], list[Call]]:
        """What is wrong after a fault, and the calls that counted."""
        own = self.folder / f"job-{os.getpid()}"  # `here` is watched, the notes are beside it
        scenario, here, notes = SCENARIOS[name], own / "here", own / "notes"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(self.folder / name, here)
        diary = Diary(here / "study", notes, fault)
        ended, calls = tracer.run(
            functools.partial(meet, scenario, diary, self.mutant), [str(here), "/proc/"], fault
        )
        if ended not in ("exit 0", "killed"):
            diary.note("wrong", f"the one who met the fault ended by {ended}")
        if fault is not None and is_silent(diary, fault, calls):
            diary.note("wrong", "a checkpoint was published though it could not be made durable")
        recover(scenario, Diary(here / "study", notes))
        return [*diary.noted("wrong"), *judged(diary, scenario)], calls


def meet(scenario: Scenario, diary: Diary, mutant: Callable[[], object]) -> int:
    """Run a script under the tracer; always 0, since what goes wrong is noted."""
    watch(diary)
    mutant()
    try:
        tracer.arm()
        scenario.script(diary)
        shutdown._release_all()
    except BaseException:
        diary.note("wrong", traceback.format_exc())
    return 0


def is_silent(diary: Diary, fault: Fault, calls: Sequence[Call]) -> bool:
    """Whether nobody was told of an error in making a draft durable; only a power cut would show it."""
    if fault.kind not in ("fail", "stick", "late") or fault.at >= len(calls) or diary.noted("borne"):
        return False
    call = calls[fault.at]
    return "/.draft-" in call.path and call.name in ("fsync", "getdents", "open")


def recover(scenario: Scenario, diary: Diary) -> None:
    """Run a script where nothing fails, in a child, and look at what is left in the folder."""
    pid = os.fork()
    if pid:
        if status := os.waitpid(pid, 0)[1]:
            diary.note("wrong", f"recovery ended with status {status}")
        return
    try:
        watch(diary)
        scenario.script(diary)
        shutdown._release_all()
        look(diary)
    except BaseException:
        diary.note("wrong", f"recovery: {traceback.format_exc()}")
    finally:
        os._exit(0)


def watch(diary: Diary) -> None:
    """Note what Python would only print, end what hangs, and let such short journals have snapshots."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_HANGS)
    snapshot_often(pytest.MonkeyPatch(), 2)

    def note(ignored: Any) -> None:
        diary.note("wrong", f"ignored: {ignored.exc_value!r}")

    sys.unraisablehook = threading.excepthook = note


def judged(diary: Diary, scenario: Scenario) -> list[str]:
    """What is wrong with the journal by what was acknowledged and by how far it had to come."""
    try:
        told = [(trial, value) for trial, value in diary.noted("told")]
        wrong, places = reader.judge(diary.folder / "journal.jsonl", told)
    except (OSError, ValueError, KeyError) as error:
        return [f"journal: {error!r}"]
    wanted = [(member, step) for member in range(2) for step in range(scenario.steps[member])]
    return [*wrong, *([] if places == wanted else [f"ended are {places}"])]
