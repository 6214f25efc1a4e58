"""Ctrl-C at any line of the store: it waits for the end of a hold, and loses nothing."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

import hoptim
from hoptim import _signals
from hoptim.store.locking.lock import StudyLock
from tests import reader
from tests.builders import ROOT, saving, study, wait_until

HOPTIM = str(ROOT / "hoptim")


class Interrupt:
    """Sends a signal to this process at the n-th line of hoptim that runs within the block.

    Args:
        n: Which line.
        every: Instead of lines, count the steps of the interpreter.
    """

    def __init__(self, n: int, every: bool = False) -> None:
        self.left, self.every, self.sent = n, every, False

    def __enter__(self) -> Interrupt:
        self._before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _enter(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(HOPTIM):
            return None
        frame.f_trace_opcodes = self.every
        return self._line

    def _line(self, frame, event, _):
        if event == ("opcode" if self.every else "line") and not self.sent:
            self.left -= 1
            if self.left < 0:
                self.sent = True
                signal.raise_signal(signal.SIGINT)
        return self._line


def lock_is_free(folder: Path) -> bool:
    """Whether somebody else could enter now."""
    fd = os.open(folder / "queue", os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def work(made: hoptim.Study, acks: list[tuple[int, float]]) -> None:
    """Two trials in a loop, with what was acknowledged."""
    for trial, _ in zip(made, range(2), strict=False):
        trial.tell(trial.number / 10, save=saving("x"))
        acks.append((trial.number, trial.number / 10))


def interrupted_at(folder: Path, n: int, every: bool, late: bool = False) -> bool:
    """Work with an interrupt at the n-th point, then go on; whether there were so many points.

    With `late` by a handler that the user has set after the store's.
    """
    acks: list[tuple[int, float]] = []
    made = study(folder, size=2, steps=3)
    if late:
        signal.signal(signal.SIGINT, lambda *_: signal.default_int_handler(signal.SIGINT, None))
    with Interrupt(n, every) as interrupt, contextlib.suppress(KeyboardInterrupt):
        work(made, acks)
    assert lock_is_free(folder)
    assert _signals._here.depth == 0
    for trial in made:  # the same process and object go on, as in a notebook
        trial.tell(trial.number / 10, save=saving("x"))
        acks.append((trial.number, trial.number / 10))
    wrong, places = reader.judge(folder / "journal.jsonl", acks)
    assert wrong == []
    assert len(places) == 6
    return interrupt.sent


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a loop's clean-up
@pytest.mark.parametrize(("step", "every"), [(61, False), (797, True)])
def test_ctrl_c_at_any_point_loses_nothing(tmp_path, step, every):
    """Wherever Ctrl-C arrives, the lock is free afterwards and the same study object goes on."""
    points = itertools.count(0, step)
    tried = 0
    while interrupted_at(tmp_path / str(tried), next(points), every):
        tried += 1
    assert tried > 15  # Python 3.12 takes fewer steps than 3.11


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_handler_that_was_set_later_waits_too(tmp_path):
    """As asyncio and notebooks set theirs: it loses nothing either, and is still there afterwards."""
    before, tried = signal.getsignal(signal.SIGINT), 0
    points = itertools.count(11, 71)
    try:
        while interrupted_at(tmp_path / str(tried), next(points), False, late=True):
            assert "<lambda>" in repr(signal.getsignal(signal.SIGINT))
            tried += 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert tried > 20


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("every", [False, True])
def test_ctrl_c_at_every_point_loses_nothing(tmp_path, every):
    """The same at each line, and at each step of the interpreter."""
    n = 0
    while interrupted_at(tmp_path / str(n), n, every):
        n += 1
    assert n > 500


def test_ctrl_c_in_a_hold_comes_at_its_end(tmp_path):
    """A signal within a hold is neither lost nor early."""
    lock, seen = StudyLock.of(tmp_path), []
    with pytest.raises(KeyboardInterrupt), lock.hold(None):
        signal.raise_signal(signal.SIGINT)
        seen.append("the hold went on")
    assert seen == ["the hold went on"]
    assert lock_is_free(tmp_path)


def test_ctrl_c_ends_the_wait_for_another_thread(tmp_path):
    """Waiting for a thread of this process can be interrupted, too."""
    lock, inside, go = StudyLock.of(tmp_path), threading.Event(), threading.Event()

    def keep() -> None:
        with lock.hold(None):
            inside.set()
            go.wait(60)

    thread = threading.Thread(target=keep)
    thread.start()
    inside.wait(60)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), lock.hold(None):
        pass
    go.set()
    thread.join()
    timer.join()
    wait_until(lambda: lock_is_free(tmp_path))


def test_a_handler_that_calls_ours_is_left_alone(tmp_path, monkeypatch):
    """A user's handler set later, which calls the one before it, is not wrapped once more."""
    study(tmp_path / "s")
    calls = []
    ours = signal.getsignal(signal.SIGINT)

    def theirs(number, frame):
        calls.append(number)
        ours(number, frame)

    signal.signal(signal.SIGINT, theirs)
    try:
        study(tmp_path / "s").ask()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, ours)
    assert calls == [signal.SIGINT]
