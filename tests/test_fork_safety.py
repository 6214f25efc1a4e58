"""Forks while others train, while machines fail, and while the fork itself is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import hoptim
from hoptim import _files, fork
from tests.builders import ROOT, advance, records, study, wait_until

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="descriptors are named by /proc")
SLOW = """
import os, shutil, sys, hoptim

def link(*_, **__):
    raise OSError(18, "Invalid cross-device link")

def copy(source, target):
    print("copying", flush=True)
    sys.stdin.readline()
    return real(source, target)

os.link, shutil.copyfileobj, real = link, copy, shutil.copyfileobj
hoptim.fork(sys.argv[1], sys.argv[2])
"""


@pytest.fixture
def old(tmp_path):
    """A study of two members that have done a step, with checkpoints."""
    made = study(tmp_path / "old", size=2, steps=8, optimizer=hoptim.ROMUL())
    advance(made)
    return made


def dropped(made):
    """Trials whose checkpoint is recorded as dropped."""
    return {number for record in records(made.path) for number in record.get("drops", ())}


def forking(old, target):
    """A process in the middle of a fork, copying the first checkpoint until it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(old.path), str(target)], text=True, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "copying\n"
    return process


def drafts(folder):
    """Hidden folders of forks."""
    return sorted(folder.glob(".new*"))


def test_others_tell_while_a_fork_copies(old, tmp_path, monkeypatch):
    """The lock is free while checkpoints are copied to another file system, however long that takes."""
    told = threading.Event()

    def link(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    def copy(source, target, copyfileobj=shutil.copyfileobj):
        if not told.is_set():
            thread = threading.Thread(target=lambda: (advance(old), told.set()))
            thread.start()
            thread.join(30)
        assert told.is_set(), "a tell waited for the copy"
        return copyfileobj(source, target)

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(shutil, "copyfileobj", copy)
    new = fork(old.path, tmp_path / "new")
    assert told.is_set()
    assert [t.origin for t in new.trials] == [0, 1]


def test_what_a_fork_copies_is_not_dropped_meanwhile(old, tmp_path):
    """The donor's checkpoints stay until the fork has them, also when nobody else needs them any more."""
    other = forking(old, tmp_path / "new")
    for _ in range(4):
        advance(old)
    assert not dropped(old) & {0, 1}
    _, errors = other.communicate("\n\n\n")
    assert other.returncode == 0, errors
    new = hoptim.load(tmp_path / "new")
    assert [Path(t.checkpoint).read_text() for t in new.trials] == ["0", "1"]
    assert os.listdir(Path(old.path) / "pins") == []
    advance(old)
    assert {0, 1} - {old.best_ever.number} <= dropped(old)
    assert old.check().ok
    assert new.check().ok
    assert len(new.origin.trials) == 2  # as it was when the generation was chosen


@linux
def test_a_killed_fork_keeps_nothing(old, tmp_path):
    """Its pins go with the next drop, and its draft with the next fork to the same directory."""
    other = forking(old, tmp_path / "new")
    os.kill(other.pid, signal.SIGKILL)
    other.communicate()
    assert len(drafts(tmp_path)) == 1
    for _ in range(3):
        advance(old)
    assert {0, 1} - {old.best_ever.number} <= dropped(old)
    assert os.listdir(Path(old.path) / "pins") == []
    fork(old.path, tmp_path / "new")
    assert drafts(tmp_path) == []


def test_a_draft_that_somebody_works_on_stays(old, tmp_path):
    """Another fork to the same directory leaves it alone, and one of the two gets the name."""
    other = forking(old, tmp_path / "new")
    fork(old.path, tmp_path / "new")
    assert len(drafts(tmp_path)) == 1
    other.communicate("\n\n\n")
    assert other.returncode == 1
    assert drafts(tmp_path) == []
    assert hoptim.load(tmp_path / "new").check().ok


def test_only_drafts_of_forks_are_removed(old, tmp_path):
    """Folders with other names, or without an origin and not empty, are left alone; an empty draft goes."""
    names = (".new-01234567", ".new.fork-0123456", ".new.fork-01234567", ".new.fork-89abcdef")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / ".new.fork-01234567" / "mine").touch()
    (tmp_path / ".new-01234567" / "origin").mkdir()
    (tmp_path / ".new-01234567" / "origin" / "journal.jsonl").touch()
    fork(old.path, tmp_path / "new")
    assert [path.name for path in drafts(tmp_path)] == sorted(names[:3])


def test_a_fork_is_durable(old, tmp_path, monkeypatch):
    """Each file and folder of it is synced before it gets its name, and then the name is."""
    synced: list[int] = []
    renamed: list[int] = []
    flush, rename = _files.flush, os.rename

    def spy(fd):
        synced.append(os.fstat(fd).st_ino)
        flush(fd)

    def note(source, target, **more):
        rename(source, target, **more)
        if target == tmp_path / "new":
            renamed.append(len(synced))

    for module in list(sys.modules.values()):
        if getattr(module, "flush", None) is flush:
            monkeypatch.setattr(module, "flush", spy)
    monkeypatch.setattr(os, "rename", note)
    fork(old.path, tmp_path / "new")
    empty = ("lock", "queue", "workers")  # nothing in them is to be kept
    before, after = synced[: renamed[0]], synced[renamed[0] :]
    found = [path for path in (tmp_path / "new").rglob("*") if path.name not in empty]
    assert {"checkpoints", "origin", "journal.jsonl", "study.json"} <= {path.name for path in found}
    assert [path for path in found if path.stat().st_ino not in before] == []
    assert before[-1] == (tmp_path / "new").stat().st_ino
    assert tmp_path.stat().st_ino in after


def test_a_fork_that_cannot_be_written_leaves_nothing(old, tmp_path, monkeypatch):
    """An error in the middle removes draft and pins; the same call works once the cause is cured."""
    with monkeypatch.context() as broken:

        def refuse(*_, **__):
            raise OSError(28, "No space left on device")

        broken.setattr(os, "link", refuse)
        broken.setattr(shutil, "copyfileobj", refuse)
        with pytest.raises(hoptim.StoreError, match="No space left"):
            fork(old.path, tmp_path / "new")
    assert drafts(tmp_path) == []
    assert not (tmp_path / "new").exists()
    assert os.listdir(Path(old.path) / "pins") == []
    fork(old.path, tmp_path / "new")


def test_folders_are_forked_whole(tmp_path):
    """A checkpoint that is a folder comes along as one, each file linked."""

    def save(path):
        Path(path, "inner").mkdir(parents=True)
        Path(path, "inner", "weights").write_text("w")

    for trial in study(tmp_path / "old", size=2, steps=1):
        trial.tell(0.5, save=save)
    new = fork(tmp_path / "old", tmp_path / "new", steps=2)
    for trial in new.trials:
        assert Path(trial.checkpoint, "inner", "weights").read_text() == "w"
    assert new.check().ok


def test_a_busy_lock_is_waited_for_before_the_copy(old, tmp_path):
    """The pins are made under the lock, so a fork begins once its holder is done."""
    began, made = threading.Event(), []

    def run():
        began.set()
        made.append(fork(old.path, tmp_path / "new"))

    thread = threading.Thread(target=run)
    with hoptim.load(old.path)._session.store.journal.hold(None):
        thread.start()
        began.wait()
        assert not made
    thread.join()
    wait_until(lambda: made)
