"""Leaving politely: exit, SIGTERM and SIGHUP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from hoptim import _signals
from tests.builders import ROOT, records, saving, study

STOPS = (signal.SIGTERM, signal.SIGHUP)
FORKING = """
import os, signal, sys
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), {number}))  # before that of hoptim
from tests.builders import study
trial = study(sys.argv[1]).ask()
children = [os.fork() or os._exit(5) for _ in range(3)]
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.fixture
def our_handler():
    """What asks a process to stop goes to hoptim for the length of a test."""
    before = {number: signal.getsignal(number) for number in STOPS}
    theirs = {number: _signals._theirs.pop(number) for number in STOPS if number in _signals._theirs}
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in STOPS:
        signal.signal(number, before[number])
        _signals._theirs.pop(number, None)
    _signals._theirs.update(theirs)


def terminate(number: int = signal.SIGTERM) -> None:
    """Ask this very process to stop."""
    os.kill(os.getpid(), number)


def in_child(work: Callable[[], object]) -> int:
    """Call a function in a forked child, which ends with status 5 if nothing ends it before."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_that_asks_to_stop_unwinds_the_loop_and_releases(tmp_path, our_handler, number, status):
    """SIGTERM and SIGHUP end a training loop by SystemExit, and its trial is handed back."""
    with pytest.raises(SystemExit) as caught:
        for _ in study(tmp_path / "s"):
            terminate(number)
    assert caught.value.code == status
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "release"]


def test_sigterm_in_a_store_operation_waits_for_its_end(tmp_path, our_handler, monkeypatch):
    """A signal in the middle of a tell does not lose it: the record is whole, then the loop unwinds."""
    real = os.fsync
    told = []

    def sync(fd):
        real(fd)
        if told:
            told.clear()
            terminate()

    with pytest.raises(SystemExit):
        for trial in study(tmp_path / "s"):
            monkeypatch.setattr(os, "fsync", sync)
            told.append(trial)
            trial.tell(1.0)
    ops = [r["op"] for r in records(tmp_path / "s")]
    assert ops[:3] == ["create", "ask", "tell"]
    assert ops[3:] == ["ask", "release"]


def test_the_users_own_handler_is_called_and_decides(tmp_path, our_handler):
    """Where the user handles SIGTERM, hoptim calls that and ends nothing."""
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    for trial in study(tmp_path / "s", size=1, steps=2):
        terminate()
        trial.tell(1.0)
    assert seen == [signal.SIGTERM, signal.SIGTERM]


@pytest.mark.parametrize("number", STOPS)
def test_an_ignored_signal_stays_ignored(tmp_path, our_handler, number):
    """A process that ignores SIGTERM, or SIGHUP after nohup, goes on doing so, and so do its programs."""
    signal.signal(number, signal.SIG_IGN)
    trial = study(tmp_path / "s").ask()
    terminate(number)
    trial.tell(1.0)
    assert subprocess.run(["/bin/sh", "-c", f"kill -{number} $$; exit 5"], check=False).returncode == 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("number", STOPS)
def test_a_forked_child_is_killed_as_without_hoptim(tmp_path, our_handler, number):
    """A pool's workers within a trial end at once when terminated, and by the signal itself."""
    statuses: list[int] = []

    def stop_child(*_: object) -> None:
        statuses.append(in_child(lambda: terminate(number)))

    for trial in study(tmp_path / "s", size=1, keep=stop_child):
        stop_child()
        trial.tell(1.0, save=saving("weights"))  # from the third on it calls `keep`, under the lock
    assert set(statuses) == {-number}
    assert len(statuses) > 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_that_tells_defers_signals_meanwhile(tmp_path, our_handler, monkeypatch):
    """What a child does with the store is as safe from signals as in its parent; then it is killed."""
    trial = study(tmp_path / "s").ask()
    real = os.fsync

    def tell() -> None:
        def sync(fd: int) -> None:
            terminate()
            real(fd)

        monkeypatch.setattr(os, "fsync", sync)
        trial.tell(1.0)

    assert in_child(tell) == -signal.SIGTERM
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "tell"]


@pytest.mark.usefixtures("hang_up_arrives")
@pytest.mark.parametrize("number", STOPS)
def test_a_signal_at_a_childs_first_instruction_kills_it(tmp_path, number):
    """One that arrives before Python has prepared the child is neither lost nor taken for the parent's."""
    script = FORKING.format(number=int(number))
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "s"], check=False, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert ran.stdout == f"{[-number] * 3}\n", ran.stderr


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_the_former_handlers(tmp_path, our_handler):
    """Ctrl-C raises KeyboardInterrupt in a child at once, and a user's own handler is called."""
    seen, write = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(write, b"x"))
    trial = study(tmp_path / "s").ask()
    assert in_child(terminate) == 5
    assert os.read(seen, 1) == b"x"
    assert in_child(lambda: os._exit(signal.getsignal(signal.SIGINT) is signal.default_int_handler)) == 1
    trial.tell(1.0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_that_trains_hands_back_its_trial(tmp_path, our_handler):
    """A child that asks for itself is a worker like its parent: SIGTERM unwinds its loop."""
    made = study(tmp_path / "s")
    held = made.ask()

    def work() -> None:
        try:
            for _ in made:
                terminate()
        except SystemExit as error:
            os._exit(error.code == 143)

    assert in_child(work) == 1
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "ask", "release"]
    held.tell(1.0)


def test_a_normal_exit_releases_what_is_held(tmp_path):
    """A script that ends with trials in hand hands them back and takes its sign of life away."""
    script = "from tests.builders import study; import sys; t = [study(sys.argv[1]).ask() for _ in 'ab']"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script, tmp_path / "s"], check=True, env=environment, timeout=60)
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "ask", "release", "release"]
    assert list((tmp_path / "s" / "workers").iterdir()) == []
