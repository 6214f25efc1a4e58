"""Signs of life, proofs of death, leases."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import subprocess
import sys
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import hoptim
from hoptim.store import file_signs, liveness, process_identity
from hoptim.store.file_signs import FileSigns
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.liveness import Watch, display_name
from hoptim.store.process_identity import ProcessIdentity
from hoptim.store.worker import Worker
from hoptim.store.workers import Workers
from tests.builders import ROOT, study, wait_until

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="deaths are proven by /proc")


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(liveness.time, "monotonic", lambda: self.now)


def signs(folder):
    return FileSigns(folder / "workers")


def stranger(folder, name="other.1.abc", **changes):
    """A worker file of another host."""
    there = {"host": "other", "pid": 1, "start": "5", "boot": "another boot", "space": "x", "lease": 30.0}
    (folder / "workers").mkdir(exist_ok=True)
    path = folder / "workers" / name
    path.write_text(json.dumps({**there, **changes}))
    return path


GONE = 2**22 + 1  # no process has such a pid


def lives_by(change: list[str], there: ProcessIdentity, *more: str) -> str:
    """What a process that a command starts in other namespaces, say, can tell of another."""
    judge = [sys.executable, str(ROOT / "tests" / "lives.py"), "judge", json.dumps(there), *more]
    ran = subprocess.run(
        [*change, *judge], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def require_unshare(*options: str) -> None:
    """Skip the test where no process may be started in namespaces of its own."""
    command = ["unshare", *options, "true"]
    if shutil.which("unshare") is None or subprocess.call(command, stderr=subprocess.DEVNULL):
        pytest.skip(f"needs {' '.join(command)}")


@linux
def test_a_process_is_dead_once_it_is_gone():
    """A living process provably lives; killed, waited for or not, it is dead; so is a reused pid."""
    assert ProcessIdentity.mine().lives() is True
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_identity._start_time(child.pid)
    assert start is not None
    there = ProcessIdentity.mine()._replace(pid=child.pid, start=start)
    assert there.lives() is True
    assert there._replace(start="1").lives() is False
    child.kill()
    wait_until(lambda: there.lives() is False)  # a zombie by now
    child.communicate()
    assert there.lives() is False


@linux
@pytest.mark.parametrize(
    "change",
    [
        {"host": "a copy"}, {"boot": "another"}, {"boot": ""}, {"space": "pid:[1]"}, {"space": ""},
        {"start": ""}, {"pid": 0}, {"pid": -1}, {"pid": 2**70}, {"pid": True}, {"pid": "1"},
    ],
)  # fmt: skip
def test_nothing_is_proven_about_another_host_or_container(change):
    """Another host, boot or namespace says nothing about a pid that does not exist here."""
    gone = ProcessIdentity.mine()._replace(pid=GONE, start="1")
    assert gone.lives() is False
    assert gone._replace(**change).lives() is None


@linux
def test_nothing_is_proven_about_a_copy_of_this_machine(monkeypatch):
    """Machines resumed from one snapshot have one boot id; by their network they are not one host."""
    gone = ProcessIdentity.mine()._replace(pid=GONE)
    monkeypatch.setattr(process_identity, "_hardware_addresses", lambda: ["02:00:00:00:00:99"])
    assert gone.lives() is None


@linux
def test_only_addresses_of_hardware_tell_machines_apart(monkeypatch, tmp_path):
    """Bridges, cables of containers and addresses drawn at random come and go while a machine runs."""
    for name, kind, is_device in (("eth0", "0", True), ("wlan0", "3", True), ("docker0", "0", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "addr_assign_type").write_text(f"{kind}\n")
        (tmp_path / name / "address").write_text(f"address of {name}\n")
        if is_device:
            (tmp_path / name / "device").mkdir()
    (tmp_path / "bonding_masters").touch()
    monkeypatch.setattr(process_identity, "_NETWORK", str(tmp_path))
    assert process_identity._hardware_addresses() == ["address of eth0"]
    monkeypatch.setattr(process_identity, "_NETWORK", str(tmp_path / "gone"))
    assert process_identity._hardware_addresses() == []


@linux
def test_what_an_older_version_wrote_is_left_to_the_lease():
    """An identity that does not say from where it was read can be read, and proves nothing."""
    old = {"boot": process_identity._read("/proc/sys/kernel/random/boot_id"), "space": "pid:[4026531836]"}
    assert ProcessIdentity.mine()._replace(pid=GONE, **old).lives() is None


@linux
def test_a_process_that_is_hidden_is_not_dead(monkeypatch):
    """What /proc does not show is dead only if the kernel knows no such process either."""
    there = ProcessIdentity.mine()._replace(pid=GONE)
    known: list[BaseException] = [PermissionError(errno.EPERM, "not yours")]

    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (GONE, 0)
        raise known.pop()

    monkeypatch.setattr(os, "kill", kill)
    assert there.lives() is None
    known.append(ProcessLookupError(errno.ESRCH, "no such process"))
    assert there.lives() is False


@linux
@pytest.mark.parametrize("hidepid", [1, 2])
def test_another_users_process_is_not_dead_behind_hidepid(hidepid):
    """Where /proc hides others' processes, the lease decides about them; the gone are still dead."""
    require_unshare("--mount")
    mount = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$@"'
    hidden = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    here = ProcessIdentity.mine()
    assert lives_by(hidden, here) == "True"
    assert lives_by(hidden, here, "65534") == "None"
    assert lives_by(hidden, here._replace(pid=GONE), "65534") == "False"


@linux
def test_a_proc_of_another_pid_namespace_proves_nothing():
    """A process that sees a /proc of other pids knows neither its own start time nor that of others."""
    own_proc = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    require_unshare(*own_proc)
    show = [sys.executable, str(ROOT / "tests" / "lives.py"), "show"]
    shown = {}
    for options in (own_proc, own_proc[:-1]):
        container = subprocess.Popen(
            ["unshare", *options, *show], env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert container.stdout is not None
        shown[len(options)] = found = ProcessIdentity(*json.loads(container.stdout.readline()))
        (child,) = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        assert lives_by(["nsenter", "--target", child, "--pid"], found) == "None"
        assert lives_by(["nsenter", "--target", child, "--pid", "--mount"], found) == (
            "True" if options == own_proc else "None"
        )
        container.communicate("")
    assert shown[len(own_proc)].pid == 1


@linux
def test_a_shifted_clock_proves_nothing():
    """In a time namespace the same process has another start time, and is not another process for that."""
    shifted = ["--time", "--boottime", "100000", "--fork"]
    require_unshare(*shifted)
    assert lives_by(["unshare", *shifted], ProcessIdentity.mine()) == "None"


@linux
def test_a_process_whose_first_thread_has_ended_lives():
    """A program may end its first thread, which is a zombie then, and train in others."""
    code = (
        "import ctypes, sys, threading\n"
        "threading.Thread(target=sys.stdin.read).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True)
    start = process_identity._start_time(child.pid)
    there = ProcessIdentity.mine()._replace(pid=child.pid, start=str(start))
    status = Path(f"/proc/{child.pid}/status")
    wait_until(lambda: "State:\tZ" in status.read_text())
    assert there.lives() is True
    child.communicate("")


def test_a_worker_shows_a_sign_that_moves(tmp_path):
    """A started worker's file names it exactly, its time stamp moves, and it goes with the worker."""
    mine = Worker(signs(tmp_path), Heartbeat(lease=0.06))
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
    assert Worker(signs(tmp_path), Heartbeat(1.0)).id != Worker(signs(tmp_path), Heartbeat(1.0)).id


def test_a_silent_stranger_is_dead_after_its_lease(tmp_path, monkeypatch):
    """A worker of another host is dead after a lease of looks that saw no change, not before."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 30.0)
    stranger(tmp_path)
    looks = []
    for _ in range(8):
        looks.append(watch.is_dead("other.1.abc"))
        clock.now += 5.0
    assert looks == [False] * 6 + [True, True]


def test_a_sign_of_life_starts_the_lease_anew(tmp_path, monkeypatch):
    """Whoever moved his time stamp within the lease is not taken for dead."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 30.0)
    path = stranger(tmp_path)
    for i in range(30):
        if i % 5 == 4:
            os.utime(path, ns=(i, i))
        assert not watch.is_dead("other.1.abc")
        clock.now += 5.0


def test_distant_looks_prove_nothing(tmp_path, monkeypatch):
    """Two looks a day apart do not make a lease: signs may have come and gone between them."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 30.0)
    stranger(tmp_path)
    for _ in range(5):
        assert not watch.is_dead("other.1.abc")
        clock.now += 86400


def test_the_longer_lease_counts(tmp_path, monkeypatch):
    """A worker with a long lease beats slowly, so a looker with a short one waits for the long one."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 6.0)
    stranger(tmp_path, lease=60.0)
    dead_after = None
    for second in range(100):
        if watch.is_dead("other.1.abc"):
            dead_after = second
            break
        clock.now += 1.0
    assert dead_after == 60


@linux
def test_a_living_process_has_ten_leases(tmp_path, monkeypatch, caplog):
    """One that provably lives is not dead for a late beat: that is logged once in each silence."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 30.0)
    path = stranger(tmp_path, "here.7.abc", **ProcessIdentity.mine()._asdict())
    dead_after, said = [], []
    for silence in range(2):
        os.utime(path, ns=(silence, silence))
        began = clock.now
        with caplog.at_level(logging.WARNING, logger="hoptim"):
            while not watch.is_dead("here.7.abc"):
                clock.now += 5.0
        dead_after.append(clock.now - began)
        said.append(caplog.messages[silence:])
    assert dead_after == [300.0, 300.0]
    assert [len(messages) for messages in said] == [1, 1]
    assert said[0][0].startswith("Process 7 on here runs, but gave no sign of life for 30 s: ")
    assert said[0][0].endswith("after 300 s.")


@linux
def test_the_trial_of_a_living_worker_stays_with_it_for_ten_leases(tmp_path, monkeypatch, caplog):
    """A worker whose beats fail keeps its trial while its process runs, and is not said to have died."""
    monkeypatch.setattr(Heartbeat, "_run", lambda self, stop: None)
    made, other = (study(tmp_path / "study", size=1, steps=1) for _ in range(2))
    held = made.ask()
    clock = Clock(monkeypatch)
    began, taken = clock.now, None
    with caplog.at_level(logging.WARNING, logger="hoptim"):
        while taken is None:
            clock.now += 10.0
            with suppress(hoptim.NothingDue):
                taken = other.ask(timeout=0)
    assert 1200.0 <= clock.now - began <= 1220.0
    first, last = caplog.messages
    assert "runs, but gave no sign of life for 120 s" in first
    assert last.endswith("gave no sign of life for 1200 s in trial 0.")
    with pytest.raises(hoptim.ClaimLost):
        held.tell(1.0)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"lease": "x"}', "\0" * 50])
def test_a_missing_or_broken_file_is_no_sign_of_life(tmp_path, monkeypatch, content):
    """A worker whose file is gone or unreadable is dead after the lease, without an error."""
    clock, watch = Clock(monkeypatch), Watch(signs(tmp_path), 30.0)
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
    here = ProcessIdentity.mine()._asdict()
    for name, changes in {
        "idle": {**here, "pid": GONE},
        "busy": {**here, "pid": GONE},
        "alive": here,
        "far": {},
    }.items():
        stranger(tmp_path, name, **changes)
    Watch(signs(tmp_path), 1.0).remove_idle({"busy", None})
    assert sorted(os.listdir(tmp_path / "workers")) == ["alive", "busy", "far"]


@pytest.fixture
def crowd(tmp_path, monkeypatch):
    """A folder with the files of a thousand workers on other hosts, and the names of those looked at."""
    (tmp_path / "workers").mkdir()
    names = [f"host{i}.{i}.{zlib.crc32(b'%d' % i):08x}" for i in range(1000)]
    for name in names:
        stranger(tmp_path, name)
    seen = []
    read = file_signs.read_front
    monkeypatch.setattr(
        file_signs, "read_front", lambda path, most: (seen.append(path.name), read(path, most))[1]
    )
    return tmp_path, names, seen


def test_idle_workers_look_at_the_others_in_turn(crowd, monkeypatch):
    """Of a thousand workers an idle process looks at a tenth each second, and in half a beat at all."""
    folder, names, seen = crowd
    workers = Workers(signs(folder), Heartbeat(120.0), guest=False)
    state = SimpleNamespace(open=SimpleNamespace(workers=names))
    for _ in range(10):
        workers.look_around(state)
        workers._looked = 0.0
    assert Counter(seen) == Counter(names)


def test_a_lone_survivor_finds_the_dead_among_many(crowd, monkeypatch):
    """A process that looks alone at hundreds of silent workers takes all for dead soon after a lease."""
    folder, names, _ = crowd
    clock, watch, dead, names = Clock(monkeypatch), Watch(signs(folder), 120.0), set(), names[:400]
    for _ in range(140):
        dead.update(name for name in watch.in_turn(names) if watch.is_dead(name))
        clock.now += 1.0
    assert dead == set(names)


def test_idle_workers_begin_at_different_places(crowd, monkeypatch):
    """The first looks of thirty processes together see most of a thousand workers."""
    folder, names, _ = crowd
    seen = set()
    for pid in range(30):
        monkeypatch.setattr(liveness, "own_name", lambda pid=pid: f"process {pid} on host")
        seen.update(Watch(signs(folder), 120.0).in_turn(names))
    assert len(seen) > 900


def test_tidying_does_not_grow_with_the_living(crowd):
    """Whoever leaves while a thousand others live looks at a few of their files under the lock."""
    folder, _, seen = crowd
    Watch(signs(folder), 30.0).remove_idle(())
    assert len(set(seen)) == liveness.FEW_LOOKS


@linux
def test_where_this_process_is_is_asked_once_for_many_looks(tmp_path, monkeypatch):
    """A host with hundreds of network devices takes long to say it, and some looks are under the lock."""
    asked, real = [], process_identity._boot
    monkeypatch.setattr(process_identity, "_boot", lambda: asked.append(0) or real())
    signs = FileSigns(tmp_path)
    about = json.dumps({**ProcessIdentity.mine()._asdict(), "pid": GONE, "lease": 60.0}).encode()
    names = [f"here.{GONE}.{number:06x}" for number in range(20)]
    signs.show(names, about)
    for judge in (Watch(signs, 60.0).dead, Watch(signs, 60.0).proven_dead):
        asked.clear()
        assert judge(names) == names
        assert len(asked) == 1
        assert judge([]) == []
        assert len(asked) == 1


@linux
def test_tidying_goes_on_while_it_finds_the_dead(tmp_path):
    """A hundred files of dead workers go at once."""
    for i in range(100):
        stranger(tmp_path, f"dead{i}", **{**ProcessIdentity.mine()._asdict(), "pid": GONE})
    Watch(signs(tmp_path), 30.0).remove_idle(())
    assert os.listdir(tmp_path / "workers") == []


def test_a_worker_is_named_for_people():
    """Messages name process and host, whatever the identifier."""
    assert display_name("gpu07.123.abcdef") == "Process 123 on gpu07"
    assert display_name("odd") == "Process ? on odd"


def test_a_look_that_fails_proves_no_death(monkeypatch):
    """With no descriptor left, say, /proc cannot be read; a process that lives is not dead for that."""
    mine = ProcessIdentity.mine()

    def fail(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(process_identity, "_read", fail)
    assert mine.lives() is None


def test_a_process_table_of_another_kind_proves_nothing(monkeypatch):
    """Where /proc is not as Linux writes it, a look fails and the lease decides."""
    mine, real = ProcessIdentity.mine(), process_identity._read
    monkeypatch.setattr(
        process_identity, "_read", lambda path: "1 (x) S 1" if path.endswith("stat") else real(path)
    )
    assert mine.lives() is None
