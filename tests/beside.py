"""Processes beside a herd that look at its study, fork it, and tell its trials twice."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import shutil
import signal
import time
import traceback
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import hoptim
from tests.builders import loss, wait_until
from tests.herd import Window, is_whole, opened, save
from tests.notes import Notes
from tests.place import Directory

_SHARE = 4  # looks and forks take one part in so many of a process's time
_DIES = 0.15  # of the copies, in the middle of saving
_FIRST = 60.0  # seconds until all have told a trial twice


class Beside:
    """So many lookers, forkers and twice-tellers, none of which is ever killed or stopped.

    Args:
        place: Where the study is.
        options: Options of the chaos.
    """

    def __init__(self, place: Directory, options: argparse.Namespace) -> None:
        self.place, self.folder, self.options = place, place.folder / "beside", options
        self._pids: list[int] = []
        self.folder.mkdir()

    def start(self) -> None:
        """Fork them."""
        for number in range(self.options.beside):
            for work in (look, fork, tell_twice):
                note = Notes(self.folder / f"{work.__name__}-{number}")
                if (pid := os.fork()) == 0:
                    try:
                        work(self, note)
                        note("ended")
                    except BaseException:
                        note("wrong", traceback.format_exc())
                    finally:
                        os._exit(0)
                self._pids.append(pid)

    def await_refusals(self) -> None:
        """Wait until each twice-teller was refused a value: a quick herd may leave it no trial later."""
        for path in self.folder.glob("tell_twice-*"):
            wait_until(partial(_has_refused, path), _FIRST)

    @property
    def goes_on(self) -> bool:
        """Whether the herd still works."""
        return not (self.folder / "over").exists()

    def end(self, seconds: float = 0.0) -> None:
        """Have them end, and kill those that do not."""
        (self.folder / "over").touch()
        with suppress(AssertionError):
            wait_until(lambda: not any(map(_lives, self._pids)), seconds)
        for pid in filter(_lives, self._pids):
            os.kill(pid, signal.SIGKILL)

    def said(self) -> list[list[Any]]:
        """All that they noted."""
        return [line for path in sorted(self.folder.glob("*-*")) for line in Notes.read(path)]

    def counts(self) -> Counter[str]:
        """How often each did what."""
        return Counter(line[0] for line in self.said())

    def wrong(self, records: list[dict[str, Any]]) -> list[str]:
        """What is wrong with what they noted, but for what was acknowledged to them, or lost."""
        said, counts, each = self.said(), self.counts(), self.options.beside
        tells = {record["token"]: record["value"] for record in records if record["op"] == "tell"}
        found = [line[1] for line in said if line[0] == "wrong"]
        found += [
            f"nobody beside has {it}" for it in ("looked", "forked", "twice") if counts[it] < bool(each)
        ]
        found += [f"{counts['ended']} of {3 * each} beside ended"] * (counts["ended"] != 3 * each)
        for number, token, value in (line[1:] for line in said if line[0] == "refused"):
            if tells.get(token) in (None, value):
                found.append(f"{value} was refused to trial {number}, of which {tells.get(token)} is told")
        return found


def _has_refused(path: Path) -> bool:
    return any(line[0] == "refused" for line in Notes.read(path))


def _lives(pid: int) -> bool:
    """Whether a child lives; the herd may have reaped it."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def look(beside: Beside, note: Notes) -> None:
    """Look at all there is to see; each checkpoint that is to be there is whole."""
    most = 0
    while beside.goes_on or not most:
        began = time.monotonic()
        if (seen := _loaded(beside.place)) is not None:
            seen.status()
            seen.results()
            trials, report = seen.trials, seen.check()
            if len(trials) < most or not report.ok:
                note("wrong", f"{len(trials)} trials after {most}: {report}")
            for trial in trials:
                _require_whole(seen, trial.number, note)
            most = len(trials)
            note("looked", most)
        _rest(began)


def fork(beside: Beside, note: Notes) -> None:
    """Fork the study; a generation that is not there, or no more, is asked for again."""
    new, forked = beside.folder / f"fork-{os.getpid()}", False
    while beside.goes_on or not forked:
        began = time.monotonic()
        if _loaded(beside.place) is not None:
            try:
                hoptim.fork(beside.place.path, new)
            except hoptim.ArgumentError as error:
                note("not forked", str(error))
            else:
                made = hoptim.load(new)
                whole = [is_whole(Path(str(t.checkpoint)), int(str(t.origin))) for t in made.trials]
                if len(whole) != made.size or not all(whole) or not made.check().ok:
                    note("wrong", f"a fork has {whole}: {made.check()}")
                shutil.rmtree(new)
                note("forked")
                forked = True
        _rest(began)


def tell_twice(beside: Beside, note: Notes) -> None:
    """Let two processes tell each trial at once, the same value or another, until the study is done."""
    options, rng, window = beside.options, random.Random(os.getpid()), Window()
    made = opened(beside.place, options, window)
    while (trial := made.ask()) is not None:
        window.step, value = trial.step, loss(trial)
        values = [value, value + rng.randrange(2)]
        note("twice", trial.number, trial.token, values)
        copy = pickle.dumps(trial)
        for pid in [_tell(copy, each, rng.random() < _DIES, note) for each in values]:
            os.waitpid(pid, 0)
        _require_whole(made, trial.number, note)
        with suppress(hoptim.ClaimLost, hoptim.AlreadyTold):
            trial.release()  # should both have died
        time.sleep(rng.uniform(0, 2 * options.pause))


def _tell(copy: bytes, value: float, dies: bool, note: Notes) -> int:
    """Tell a copy of a trial in another process; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            trial = pickle.loads(copy)
            claim = (trial.number, trial.token, value)
            try:
                trial.tell(value, save=partial(_save, number=trial.number, dies=dies))
                note("told", *claim)
            except hoptim.AlreadyTold:
                note("refused", *claim)
            except hoptim.ClaimLost:
                note("lost", *claim[:2])
        except BaseException:
            note("wrong", traceback.format_exc())
        finally:
            os._exit(0)
    return pid


def _save(path: str, number: int, dies: bool) -> None:
    if dies:
        Path(path).write_text("half")
        os._exit(0)
    save(path, number)


def _loaded(place: Directory) -> hoptim.Study | None:
    with suppress(hoptim.ArgumentError):  # it is about to be made
        return hoptim.load(place.path)
    return None


def _require_whole(seen: hoptim.Study, number: int, note: Notes) -> None:
    """Note a checkpoint that is recorded, now and after a look at its files, and not whole."""
    store = seen._session.store
    saved = store.state.saved.get(number)
    if saved is None:
        return
    path = Path(store.checkpoints.path(saved.name).removeprefix("file://"))
    try:
        whole = is_whole(path, number)
    except OSError:
        whole = False
    if not whole and number in store.refresh().saved:
        note("wrong", f"{path} is not whole")


def _rest(began: float) -> None:
    time.sleep(min(5.0, 0.02 + (_SHARE - 1) * (time.monotonic() - began)))
