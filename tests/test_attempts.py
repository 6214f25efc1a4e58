"""The end of an attempt is recorded, or its claim kept, whatever fails around it."""

from __future__ import annotations

import os
import threading

import pytest

import hoptim
from hoptim.store import line_format, transactions
from hoptim.store.check.inspection import check
from hoptim.store.locking.lock import StudyLock
from hoptim.store.locking.threads import WaitLogger
from hoptim.store.state import State
from tests.builders import records, saving, study, train

NO_THREAD = RuntimeError("can't start new thread")


class Unspeakable(Exception):
    """An exception of a user's whose text raises another one."""

    def __str__(self):
        raise ValueError("no text")


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


def once(monkeypatch, owner, name, error):
    """Let the next call of a function raise an error, and later ones go through."""
    real = getattr(owner, name)

    def raising(*arguments, **named):
        monkeypatch.setattr(owner, name, real)
        raise error

    monkeypatch.setattr(owner, name, raising)


def names(folder):
    """What is in the folders that workers write to."""
    return sorted(
        str(path.relative_to(folder))
        for room in ("workers", "checkpoints", "scratch", "pins")
        for path in (folder / room).glob("*")
    )


def started_since(before):
    """Threads that run and did not before; one of an earlier test may have ended meanwhile."""
    return set(threading.enumerate()) - before


def test_without_a_thread_for_its_heartbeat_nothing_is_claimed(folder, monkeypatch):
    """An ask that cannot begin to beat is a StoreError and leaves nothing; the next one beats."""
    made = study(folder)
    once(monkeypatch, threading.Thread, "start", NO_THREAD)
    with pytest.raises(hoptim.StoreError, match="No thread 'hoptim-beat' could be started"):
        made.ask()
    assert [record["op"] for record in records(folder)] == ["create"]
    assert names(folder) == []
    before = set(threading.enumerate())
    trial = made.ask()
    assert [thread.name for thread in started_since(before)] == ["hoptim-beat"]
    trial.tell(1.0)
    assert check(folder).ok


def test_without_a_thread_no_checkpoint_is_pinned(folder, monkeypatch):
    """A fork that cannot begin to beat for its pins is a StoreError and leaves none."""
    train(study(folder, size=1, steps=1), saves=True)
    once(monkeypatch, threading.Thread, "start", NO_THREAD)
    with pytest.raises(hoptim.StoreError, match="No thread 'hoptim-beat' could be started"):
        hoptim.fork(folder, folder.with_name("new"))
    assert not [name for name in names(folder) if name.startswith("pins")]
    assert not folder.with_name("new").exists()
    assert hoptim.fork(folder, folder.with_name("new"), steps=2).ask() is not None


def test_without_a_thread_no_wait_is_bounded(tmp_path, monkeypatch):
    """A bounded wait needs a thread: without one it is a StoreError, and waits for nothing later."""
    mine, other = StudyLock(tmp_path), StudyLock(tmp_path)
    with other.hold(None):
        once(monkeypatch, threading.Thread, "start", NO_THREAD)
        with pytest.raises(hoptim.StoreError, match="No thread 'hoptim-queue' could be started"):
            mine.acquire(1.0)
        with pytest.raises(hoptim.LockTimeout):
            mine.acquire(0.01)
    mine.acquire(20.0)
    mine.release()


def test_without_a_thread_a_wait_is_not_logged(monkeypatch):
    """A wait without limit goes on without the thread that logs it; the next one has its log."""
    logger, before = WaitLogger(lambda: None), set(threading.enumerate())
    once(monkeypatch, threading.Thread, "start", NO_THREAD)
    with logger:
        assert not started_since(before)
    with logger:
        assert len(started_since(before)) == 1


@pytest.mark.parametrize(
    ("owner", "name"), [(line_format, "encode"), (State, "apply"), (transactions.Transaction, "add")]
)
def test_a_tell_that_runs_out_of_memory_is_told_again(folder, monkeypatch, owner, name):
    """Memory that ends within a tell keeps the claim; the same tell, again, is recorded once."""
    made = study(folder, size=1, steps=1)
    trial = made.ask()
    once(monkeypatch, owner, name, MemoryError())
    with pytest.raises(MemoryError):
        trial.tell(1.0, save=saving("weights"))
    assert trial.ended is None
    trial.tell(1.0, save=saving("weights"))
    assert [record["op"] for record in records(folder)] == ["create", "ask", "tell"]
    assert [name for name in names(folder) if name.startswith("checkpoints")] == [
        f"checkpoints/{records(folder)[-1]['checkpoint']['name']}"
    ]


def test_training_that_runs_out_of_memory_is_a_failed_attempt(folder):
    """A MemoryError that leaves `with trial:` is recorded, and the trial is handed out again."""
    made = study(folder, size=1, steps=1)
    with pytest.raises(MemoryError), made.ask():
        raise MemoryError
    assert (records(folder)[-1]["op"], records(folder)[-1]["why"]) == ("fail", "MemoryError: ")
    assert made.ask(timeout=0).attempt == 2


def test_a_keep_that_raises_keeps(folder, caplog):
    """What `keep=` raises is logged; the tell is recorded, and the checkpoint is kept."""

    def keep(trial):
        raise Unspeakable

    made = study(folder, size=1, steps=4, keep=keep)
    for trial in made:
        trial.tell(float(trial.number), save=saving("weights"))
    assert [record["op"] for record in records(folder)].count("tell") == 4
    assert len([name for name in names(folder) if name.startswith("checkpoints")]) == 4
    assert "keep= raised for trial 1, whose checkpoint is kept" in caplog.text
    assert check(folder).ok


def test_a_keep_that_raises_hides_no_failure(folder, caplog):
    """A failed attempt is recorded with its own reason, whatever `keep=` raises."""

    def keep(trial):
        raise ZeroDivisionError

    made = study(folder, size=1, steps=5, keep=keep, max_attempts=1)
    for _ in range(3):
        made.ask().tell(1.0, save=saving("weights"))
    with pytest.raises(RuntimeError, match="diverged"), made.ask() as trial:
        raise RuntimeError("diverged")
    assert trial.ended == "failed"
    assert records(folder)[-1]["why"] == "RuntimeError: diverged"


def lose(folder):
    """Let a process end with a trial in its hand."""
    if (child := os.fork()) == 0:
        hoptim.load(folder).ask()
        os._exit(0)
    os.waitpid(child, 0)


def test_only_lost_workers_count_as_interruptions_that_end_a_trial(folder):
    """A trial is handed back any number of times, and failed with as many lost workers as documented."""
    study(folder, size=1, steps=1)
    losses = hoptim.Options().max_interruptions
    for _ in range(losses + 1):
        hoptim.load(folder).ask().release()
    for lost in range(losses):
        assert hoptim.load(folder).results().failed == 0, lost
        lose(folder)
    with pytest.raises(hoptim.StudyFailed, match="lost with its worker"):
        hoptim.load(folder).ask()
    (trial,) = hoptim.load(folder).trials
    assert (trial.interruptions, trial.attempt) == (2 * losses, 1)


@pytest.mark.parametrize("sign", ["x", "\x00", "\U0001f600"])
def test_a_long_reason_keeps_both_ends(folder, sign):
    """A reason of megabytes is recorded without its middle, though each character takes many bytes."""
    made = study(folder, size=1, steps=1)
    why = "begin " + sign * (3 << 20) + " end"
    made.ask().fail(why)
    with pytest.raises(RuntimeError), made.ask():
        raise RuntimeError(why)
    given, raised = [record["why"] for record in records(folder) if record["op"] == "fail"]
    assert given.startswith("begin ")
    assert given.endswith(" end")
    assert f"[... {len(why) - 20_000} characters ...]" in given
    assert raised == f"RuntimeError: {given}"
    assert made.ask(timeout=0).attempt == 3


def test_an_exception_without_a_text_is_recorded(folder):
    """An exception whose `__str__` raises is recorded by its name, and is the one that passes."""
    made = study(folder, size=1, steps=1)
    with pytest.raises(Unspeakable), made.ask() as trial:
        raise Unspeakable
    assert trial.ended == "failed"
    assert records(folder)[-1]["why"] == "Unspeakable: <Unspeakable, whose str raises ValueError>"


def test_a_checkpoint_whose_tell_was_refused_goes_with_the_attempt(folder):
    """A tell that fits no record keeps the claim; when the attempt then fails, nothing is left behind."""
    made = study(folder, size=1, steps=1)
    metrics = {str(i).zfill(1000): 0.5 for i in range(1100)}
    with pytest.raises(hoptim.ArgumentError, match="1 MiB"), made.ask() as trial:
        trial.tell(1.0, save=saving("weights"), metrics=metrics)
    assert trial.ended == "failed"
    assert [name for name in names(folder) if name.startswith("checkpoints")] == []
