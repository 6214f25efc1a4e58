"""Whether a directory is fit for a study, alone and between several processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hoptim.errors import ArgumentError, StoreError
from hoptim.store.check import barrier, cross_process, directory
from hoptim.store.check.barrier import Barrier
from hoptim.store.check.cross_process import Verdict
from hoptim.store.check.directory import examine
from hoptim.store.locking import mounts
from tests.builders import ROOT, wait_until


def in_threads(*functions: Callable[[], object]) -> list[Any]:
    """What functions that run at once give back."""
    results: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda i=i, f=f: results.update({i: f()})) for i, f in enumerate(functions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [results.get(i) for i in range(len(functions))]


def two_members(folder: Path) -> list[Barrier]:
    """Two members who have met."""
    members = [Barrier(folder, 2) for _ in range(2)]
    in_threads(*(lambda member=member: member.join(30) for member in members))
    return members


def both(test: Callable[[Barrier], Verdict], folder: Path) -> list[Verdict]:
    """What a test between two members says to each."""
    members = two_members(folder)
    verdicts = in_threads(*(lambda member=member: test(member) for member in members))
    for member in members:
        member.close()
    return verdicts


def test_an_ordinary_directory_is_fit(tmp_path):
    """Every test speaks for a directory on a local disk, and nothing is left in it."""
    verdicts = list(examine(tmp_path))
    assert [verdict for verdict in verdicts if not verdict.ok] == []
    assert "2 processes have met" in "".join(verdict.what for verdict in verdicts)
    assert list(tmp_path.iterdir()) == []


def test_several_runs_meet_on_one_directory(tmp_path):
    """Runs that wait for each other test between all their processes; a killed run counts for nothing."""
    shared = tmp_path / ".hoptim-check-2-machines"
    shared.mkdir()
    killed = {"beat": 9, "members": [], "said": []}
    (shared / "member-of-a-killed-run").write_text(json.dumps(killed))
    first, second = in_threads(*[lambda: list(examine(tmp_path, 2, 60))] * 2)
    for verdicts in (first, second):
        assert all(verdict.ok for verdict in verdicts)
        assert f"4 processes have met: 4 on {os.uname().nodename}." in [v.what for v in verdicts]
        assert "Under the lock they counted to 400, and never were two inside." in [
            v.what for v in verdicts
        ]
    assert list(tmp_path.iterdir()) == []


def test_who_comes_alone_is_told_and_cleans_up(tmp_path):
    """When the others do not come in time, that is an error with the names of who did."""
    with pytest.raises(StoreError, match=f"4 members did not meet within 1 s. Seen: {os.uname().nodename}"):
        list(examine(tmp_path, 2, 1.0))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_test_leaves_nothing(tmp_path):
    """Ctrl-C while it waits for others removes the folder and ends the second process."""
    waiting = subprocess.Popen(
        [sys.executable, "-m", "hoptim", "check-dir", str(tmp_path), "--machines", "2"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: len(list(tmp_path.glob(".hoptim-check-2-machines/member-*"))) == 2)
    os.killpg(waiting.pid, signal.SIGINT)
    waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_that_dies_is_said(tmp_path, monkeypatch):
    """Nobody waits for a process beside this one that could not even start."""
    monkeypatch.setattr(cross_process, "_SECOND", "raise SystemExit('it broke')")
    with pytest.raises(StoreError, match="it broke"):
        list(examine(tmp_path))


def test_a_second_process_does_not_outlive_the_test(tmp_path, monkeypatch):
    """When nobody comes, the process beside this one is ended, whatever it does."""
    started: list[subprocess.Popen[str]] = []
    real = subprocess.Popen
    monkeypatch.setattr(
        cross_process.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1]
    )
    monkeypatch.setattr(cross_process, "_SECOND", "import time; time.sleep(5)")
    with pytest.raises(StoreError, match="2 members did not meet"):
        list(cross_process.together(tmp_path, 1, 0.1))
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_what_cannot_be_examined_is_said(tmp_path):
    """No directory, or no machine, is an argument that cannot work."""
    for folder, machines in ((tmp_path / "none", 1), (tmp_path, 0)):
        with pytest.raises(ArgumentError):
            next(examine(folder, machines))


# -- between processes -----------------------------------------------------------------------------------


def test_a_lock_that_keeps_nobody_out_is_found(tmp_path, monkeypatch):
    """With a lock that does nothing, two are seen inside at once, by each of them."""

    class Open:
        def acquire(self, timeout: float | None) -> None:
            pass

        def release(self) -> None:
            pass

    together, guard = threading.Barrier(2), threading.Lock()
    real = cross_process.append

    def append(path: Path, data: bytes) -> None:
        together.wait(30)  # in the middle of the section, so that both must be there
        with guard:  # so that the count is right
            real(path, data)

    members = two_members(tmp_path)
    monkeypatch.setattr(cross_process, "append", append)
    monkeypatch.setattr(cross_process.StudyLock, "of", lambda *_, **__: Open())
    for verdict in in_threads(*(lambda member=member: cross_process._counts(member) for member in members)):
        assert not verdict.ok
        assert "does not keep processes apart" in verdict.what
        assert "counted to 200, not to 200" in verdict.what


def test_counts_that_are_lost_are_found(tmp_path, monkeypatch):
    """When what one appended is overwritten by the next, the count is short."""
    real = cross_process.write_all
    monkeypatch.setattr(cross_process, "write_all", lambda fd, data, offset: real(fd, data, 0))
    for verdict in both(cross_process._counts, tmp_path):
        assert (verdict.ok, "counted to 1, not to 200" in verdict.what) == (False, True)


def test_appends_that_stay_unseen_are_found(tmp_path, monkeypatch):
    """When a file opened anew still has its old bytes, the directory is not fit."""
    monkeypatch.setattr(cross_process, "_bytes_of", lambda path: b"one\n")
    assert [verdict.ok for verdict in both(cross_process._appends, tmp_path)] == [False, False]


def test_signs_of_life_that_stay_unseen_are_found(tmp_path, monkeypatch):
    """When the time of a file does not move, the directory is not fit."""
    monkeypatch.setattr(cross_process, "_SEEN_WITHIN", 0.1)
    monkeypatch.setattr(cross_process.os, "utime", lambda path, **how: None)
    for verdict in both(cross_process._signs_of_life, tmp_path):
        assert (verdict.ok, "unseen" in verdict.what) == (False, True)


def test_what_another_saw_is_told_here(tmp_path, monkeypatch):
    """A verdict that only the other member can give is told by both."""
    members = two_members(tmp_path)
    bad = Verdict(False, "Something is wrong over there.")
    monkeypatch.setattr(
        cross_process, "_appends", lambda barrier: bad if barrier is members[1] else Verdict(True, "Good.")
    )
    first, _ = in_threads(*(lambda one=one: list(cross_process._take_part(one)) for one in members))
    assert Verdict(False, f"Seen by {members[1].me}: {bad.what}") in first


def test_all_must_agree_on_who_has_met(tmp_path):
    """Whoever moves but does not say who has met is waited for."""
    other = Barrier(tmp_path, 2)
    member = Barrier(tmp_path, 2, other._publish)
    with pytest.raises(StoreError, match=f"did not meet.*{other.me}"):
        member.join(0.5)


def test_who_leaves_early_is_missed(tmp_path, monkeypatch):
    """A member waits neither for one that is gone with the folder, nor for ever."""
    monkeypatch.setattr(barrier, "_PATIENCE", 0.1)
    member, _ = two_members(tmp_path)
    with pytest.raises(StoreError, match="did not go on"):
        member.step()
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(StoreError, match="left early"):
        member.step()


# -- alone ---------------------------------------------------------------------------------------------


def fails(code: int) -> Callable[..., object]:
    """A call that fails."""

    def call(*_: object, **__: object) -> object:
        raise OSError(code, os.strerror(code))

    return call


ALONE: dict[str, tuple[Callable[[Path], Verdict], object, str, object]] = {
    "flock does nothing": (directory._locks_of_two_descriptors, fcntl, "flock", lambda *_: None),
    "flock is not there": (directory._locks_of_two_descriptors, fcntl, "flock", fails(errno.ENOLCK)),
    "flock is local": (directory._locks_of_two_processes, fcntl, "flock", lambda *_: None),
    "nothing runs": (directory._locks_of_two_processes, directory, "_HOLD", "pass"),
    "created twice": (directory._creating_once, directory, "write_new", lambda *_: None),
    "links replace": (directory._links, os, "link", lambda *_: None),
    "nothing is replaced": (directory._replacing, os, "replace", lambda *_: None),
    "nothing is synced": (directory._syncing, os, "fsync", fails(errno.EIO)),
    "no append": (directory._appending, os, "pwrite", fails(errno.ENOSPC)),
    "a mount that lies": (directory._mount, mounts, "why_unshared", lambda _: "It lies"),
    "no space": (
        directory._space, os, "statvfs", lambda _: type("Full", (), {"f_bavail": 0, "f_frsize": 4096})
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_each_thing_that_does_not_work_is_found(tmp_path, monkeypatch, name):
    """Each test says no when the one thing that it tests is broken, and yes when nothing is."""
    test, where, call, broken = ALONE[name]
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    assert directory._tried(test, tmp_path / "good").ok
    monkeypatch.setattr(where, call, broken)
    verdict = directory._tried(test, tmp_path / "bad")
    assert not verdict.ok
    assert verdict.what.endswith(".")


def test_a_mount_that_may_lie_is_to_be_tested(tmp_path, monkeypatch):
    """Where locks depend on the set-up, the test of a single machine asks for that of two."""
    monkeypatch.setattr(mounts, "why_doubtful", lambda _: "It depends")
    verdict = directory._mount(tmp_path)
    assert (verdict.ok, "--machines 2: It depends." in verdict.what) == (True, True)


def test_no_hard_links_are_no_fault(tmp_path, monkeypatch):
    """hoptim does without hard links, so their absence is only said."""
    monkeypatch.setattr(os, "link", fails(errno.EPERM))
    verdict = directory._links(tmp_path)
    assert (verdict.ok, "do without" in verdict.what) == (True, True)


def test_a_folder_that_is_open_to_all_is_found(tmp_path):
    """Where everybody may replace files, anybody may plant links; with the sticky bit nobody else can."""
    for mode, ok in ((0o777, False), (0o1777, True), (0o770, True)):
        tmp_path.chmod(mode)
        assert directory._open_to_all(tmp_path).ok is ok


def test_where_a_link_leads_is_said(tmp_path):
    """A directory behind a link is named by its own path too."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert directory._leads(tmp_path / "link").what.endswith(f"leads to {tmp_path / 'real'}.")
