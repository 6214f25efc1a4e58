"""Signs of life, proofs of death, leases."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from hoptim.store import liveness, process_identity
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.liveness import Watch, display_name
from hoptim.store.process_identity import ProcessIdentity
from hoptim.store.worker import Worker
from tests.builders import wait_until

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="deaths are proven by /proc")


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(liveness.time, "monotonic", lambda: self.now)


def stranger(folder, name="other.1.abc", **changes):
    """A worker file of another host."""
    there = {"host": "other", "pid": 1, "start": "5", "boot": "another boot", "space": "x", "lease": 30.0}
    (folder / "workers").mkdir(exist_ok=True)
    path = folder / "workers" / name
    path.write_text(json.dumps({**there, **changes}))
    return path


@linux
def test_a_process_is_dead_once_it_is_gone():
    """A living process is not dead; killed, waited for or not, it is; so is a reused pid."""
    assert not ProcessIdentity.mine().is_dead()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_identity._start_time(child.pid)
    assert start is not None
    there = ProcessIdentity.mine()._replace(pid=child.pid, start=start)
    assert not there.is_dead()
    assert there._replace(start="1").is_dead()
    child.kill()
    wait_until(there.is_dead)  # a zombie by now
    child.communicate()
    assert there.is_dead()


@linux
@pytest.mark.parametrize("change", [{"boot": "another"}, {"space": "pid:[1]"}, {"boot": ""}])
def test_nothing_is_proven_about_another_host_or_container(change):
    """Another boot or pid namespace says nothing about a pid that does not exist here."""
    here = {"boot": process_identity._boot(), "space": process_identity._pid_space()}
    gone = {"host": "h", "pid": 2**22 + 1, "start": "1", **here}
    assert ProcessIdentity(**gone).is_dead()
    assert not ProcessIdentity(**{**gone, **change}).is_dead()


def test_a_worker_shows_a_sign_that_moves(tmp_path):
    """A started worker's file names it exactly, its time stamp moves, and it goes with the worker."""
    mine = Worker(tmp_path, Heartbeat(lease=0.06))
    mine.start()
    path = tmp_path / "workers" / mine.id
    found = json.loads(path.read_text())
    assert (found["pid"], found["lease"]) == (os.getpid(), 0.06)
    first = path.stat().st_mtime_ns
    wait_until(lambda: path.stat().st_mtime_ns > first)
    mine.stop()
    assert not path.exists()


def test_two_workers_of_one_process_have_different_names(tmp_path):
    """Names never collide, also when a pid is reused."""
    assert Worker(tmp_path, Heartbeat(1.0)).id != Worker(tmp_path, Heartbeat(1.0)).id


def test_a_silent_stranger_is_dead_after_its_lease(tmp_path, monkeypatch):
    """A worker of another host is dead after a lease of looks that saw no change, not before."""
    clock, watch = Clock(monkeypatch), Watch(tmp_path, 30.0)
    stranger(tmp_path)
    looks = []
    for _ in range(8):
        looks.append(watch.is_dead("other.1.abc"))
        clock.now += 5.0
    assert looks == [False] * 6 + [True, True]


def test_a_sign_of_life_starts_the_lease_anew(tmp_path, monkeypatch):
    """Whoever moved his time stamp within the lease is not taken for dead."""
    clock, watch = Clock(monkeypatch), Watch(tmp_path, 30.0)
    path = stranger(tmp_path)
    for i in range(30):
        if i % 5 == 4:
            os.utime(path, ns=(i, i))
        assert not watch.is_dead("other.1.abc")
        clock.now += 5.0


def test_distant_looks_prove_nothing(tmp_path, monkeypatch):
    """Two looks a day apart do not make a lease: signs may have come and gone between them."""
    clock, watch = Clock(monkeypatch), Watch(tmp_path, 30.0)
    stranger(tmp_path)
    for _ in range(5):
        assert not watch.is_dead("other.1.abc")
        clock.now += 86400


def test_the_longer_lease_counts(tmp_path, monkeypatch):
    """A worker with a long lease beats slowly, so a looker with a short one waits for the long one."""
    clock, watch = Clock(monkeypatch), Watch(tmp_path, 6.0)
    stranger(tmp_path, lease=60.0)
    dead_after = None
    for second in range(100):
        if watch.is_dead("other.1.abc"):
            dead_after = second
            break
        clock.now += 1.0
    assert dead_after == 60


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"lease": "x"}', "\0" * 50])
def test_a_missing_or_broken_file_is_no_sign_of_life(tmp_path, monkeypatch, content):
    """A worker whose file is gone or unreadable is dead after the lease, without an error."""
    clock, watch = Clock(monkeypatch), Watch(tmp_path, 30.0)
    if content is not None:
        stranger(tmp_path).write_text(content)
    looks = []
    for _ in range(7):
        looks.append(watch.is_dead("other.1.abc"))
        clock.now += 5.0
    assert looks == [False] * 6 + [True]


@linux
def test_dead_workers_that_hold_nothing_are_buried(tmp_path):
    """Files of killed workers without a trial go; those of the living, the busy and strangers stay."""
    here = {"boot": process_identity._boot(), "space": process_identity._pid_space()}
    for name, changes in {
        "idle": {"pid": 2**22 + 1, **here},
        "busy": {"pid": 2**22 + 1, **here},
        "alive": {"pid": os.getpid(), "start": process_identity._start_time(os.getpid()), **here},
        "far": {},
    }.items():
        stranger(tmp_path, name, **changes)
    Watch(tmp_path, 1.0).remove_idle({"busy", None})
    assert sorted(os.listdir(tmp_path / "workers")) == ["alive", "busy", "far"]


def test_a_worker_is_named_for_people():
    """Messages name process and host, whatever the identifier."""
    assert display_name("gpu07.123.abcdef") == "process 123 on gpu07"
    assert display_name("odd") == "process ? on odd"


def test_a_look_that_fails_proves_no_death(monkeypatch):
    """With no descriptor left, say, /proc cannot be read; a process that lives is not dead for that."""
    mine = ProcessIdentity.mine()

    def fail(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(process_identity, "_read", fail)
    assert not mine.is_dead()


def test_a_process_table_of_another_kind_proves_nothing(monkeypatch):
    """Where /proc is not as Linux writes it, a look fails and the lease decides."""
    mine = ProcessIdentity.mine()
    monkeypatch.setattr(
        process_identity, "_read", lambda path: "1 (x) S 1" if path.endswith("stat") else mine.boot
    )
    assert not mine.is_dead()
