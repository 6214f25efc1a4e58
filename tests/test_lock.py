"""The lock: exclusion between threads and processes, patience, and names."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hoptim import remote
from hoptim.errors import LockTimeout, NothingDue, OptimizerError, StoreError
from hoptim.store.locking import lock
from hoptim.store.locking.lock import StudyLock
from tests.builders import ROOT, run, study, wait_until


@pytest.fixture
def held(tmp_path):
    """A folder whose lock another process holds; call the value to let it go."""
    holder = run("hold.py", tmp_path)
    assert holder.stdout.readline() == "held\n"

    def let_go():
        holder.kill()
        holder.communicate()

    yield tmp_path, holder, let_go
    let_go()


def test_one_object_serves_a_folder():
    """Two spellings of a folder share one lock in a process, since a second would block the first."""
    assert StudyLock.of(lock.Path("/tmp")) is StudyLock.of(lock.Path("/tmp/../tmp"))


def test_threads_exclude_each_other(tmp_path):
    """Many threads in a read-modify-write under the lock lose no update."""
    mine, counter = StudyLock.of(tmp_path), [0]

    def work():
        for _ in range(50):
            mine.acquire(None)
            value = counter[0]
            threading.Event().wait(0.0001)
            counter[0] = value + 1
            mine.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter == [200]


def test_processes_exclude_each_other(tmp_path):
    """Processes that append under the lock never meet inside."""
    workers = [run("count.py", tmp_path, 100) for _ in range(3)]
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    assert (tmp_path / "counter").read_text() == "300"


def test_a_timeout_names_the_holder(held):
    """Waiting in vain says which process on which host has the lock, and may be retried."""
    folder, holder, let_go = held
    mine = StudyLock.of(folder)
    for _ in range(3):
        with pytest.raises(LockTimeout, match=f"process {holder.pid} on "):
            mine.acquire(0.05)
    before = threading.active_count()
    let_go()
    mine.acquire(20)
    mine.release()
    assert threading.active_count() <= before


def test_a_long_wait_is_said(held, monkeypatch, caplog):
    """A waiter without a limit warns again and again with the holder's name, then enters."""
    folder, holder, _ = held
    monkeypatch.setattr(lock, "_LOG_EVERY", 0.05)
    mine = StudyLock.of(folder)
    threading.Timer(0.4, holder.kill).start()
    with caplog.at_level(logging.WARNING, logger="hoptim"):
        mine.acquire(None)
    mine.release()
    assert len(caplog.records) >= 2
    assert f"process {holder.pid} on " in caplog.text


def test_a_killed_holder_leaves_the_lock_free(held):
    """The kernel frees the lock of a killed process; nobody waits for an age to pass."""
    folder, holder, _ = held
    holder.send_signal(signal.SIGKILL)
    mine = StudyLock.of(folder)
    mine.acquire(20)
    mine.release()


def test_a_stopped_holder_keeps_the_lock(held):
    """A stopped process is alive, so its lock is not taken away."""
    folder, holder, _ = held
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(LockTimeout):
        StudyLock.of(folder).acquire(0.2)


def test_an_interrupted_wait_leaves_the_line(held):
    """KeyboardInterrupt while waiting passes through, and the lock can be taken afterwards."""
    folder, _, let_go = held
    mine = StudyLock.of(folder)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        mine.acquire(None)
    let_go()
    mine.acquire(20)
    mine.release()


def test_a_suite_in_the_background_can_be_interrupted(tmp_path):
    """Shells start background jobs with SIGINT ignored, and the tests that send it still work."""
    test = f"{__file__}::test_an_interrupted_wait_leaves_the_line"
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    own = f"--basetemp={tmp_path / 'inner'}"  # else it removes what earlier suites left, for minutes
    suite = [sys.executable, "-m", "pytest", "-q", "-o", "timeout=30", own, test]
    ran = subprocess.run(
        [*ignoring, *suite], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout


def test_a_forked_child_has_its_own_lock(tmp_path):
    """A child forked within a hold does not enter with its parent, nor keep the lock afterwards."""
    mine = StudyLock.of(tmp_path)
    mine.acquire(None)
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        own = StudyLock.of(tmp_path)
        entered = True
        try:
            own.acquire(0.1)
        except LockTimeout:
            entered = False
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(entered or own is mine)
    os.read(ready[0], 1)
    mine.release()
    other = run("hold.py", tmp_path)  # would hang if the child had kept the parent's descriptor
    assert other.stdout.readline() == "held\n"
    other.kill()
    other.communicate()
    os.write(go[1], b"x")
    assert os.waitpid(pid, 0)[1] == 0


def test_a_child_does_not_keep_the_lock_of_its_killed_parent(tmp_path):
    """A process killed within a hold leaves the lock free, though a child forked in it lives on."""
    told, tell = os.pipe()
    parent = os.fork()
    if parent == 0:
        StudyLock.of(tmp_path).acquire(None)
        child = os.fork()
        if child:
            os.write(tell, b"%d" % child)
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    os.waitpid(parent, 0)
    child = int(os.read(told, 20))
    try:
        StudyLock.of(tmp_path).acquire(10.0)
        StudyLock.of(tmp_path).release()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_failing_unlock_does_not_keep_the_lock(tmp_path, monkeypatch):
    """When the file system refuses to unlock, closing the files does it, and nobody waits for ever."""
    mine, real = StudyLock.of(tmp_path), fcntl.flock

    def flock(fd, operation):
        if operation == fcntl.LOCK_UN:
            raise OSError(5, "Input/output error")
        return real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        mine.acquire(1.0)
        mine.release()


def test_calling_hoptim_within_its_own_decision_is_an_error(tmp_path):
    """Entering twice in one thread would wait for itself for ever, so it is refused."""
    mine = StudyLock.of(tmp_path)
    mine.acquire(None)
    with pytest.raises(OptimizerError, match=r"cannot be called from propose\(\) or keep="):
        mine.acquire(None)
    mine.release()
    mine.acquire(None)
    mine.release()


def test_a_folder_that_is_gone_is_said(tmp_path):
    """Locking in a folder that does not exist names the path instead of waiting."""
    with pytest.raises(StoreError, match="queue"):
        StudyLock.of(tmp_path / "gone").acquire(None)
    wait_until(lambda: StudyLock.of(tmp_path).mutex.acquire(blocking=False))


def test_the_holder_is_at_the_head_of_the_line(tmp_path):
    """Whoever is inside also holds the queue, so that the kernel hands it on in turn without polling."""
    mine = StudyLock.of(tmp_path)
    mine.acquire(None)
    fd = os.open(tmp_path / "queue", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    mine.release()
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def asks_within(folder, seconds, ask):
    """What an ask with a timeout raises, which ends in time whatever keeps the lock."""
    began = time.monotonic()
    with pytest.raises(NothingDue, match=r"within 0\.3 s.*(held by|Another thread)") as caught:
        ask(folder)
    assert 0.3 <= time.monotonic() - began < seconds
    return caught.value


@pytest.mark.parametrize("ask", [lambda p: study(p).ask(timeout=0.3), lambda p: remote.ask(p, timeout=0.3)])
def test_a_timeout_holds_behind_a_stopped_holder(held, ask):
    """An ask with a timeout waits for a stopped holder no longer than for a trial, and names it."""
    folder, holder, let_go = held
    let_go()
    study(folder)
    holder = run("hold.py", folder)
    try:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        assert f"process {holder.pid} on " in str(asks_within(folder, 5.0, ask))
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("name", ["queue", "lock", "journal.jsonl"])
def test_a_timeout_holds_for_each_lock(tmp_path, name):
    """Whichever file stays locked, an ask ends when its time is up, a later one gets the trial."""
    made = study(tmp_path)
    with (tmp_path / name).open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        asks_within(tmp_path, 5.0, lambda _: made.ask(timeout=0.3))
        with pytest.raises(NothingDue):
            made.ask(timeout=0)
    assert made.ask(timeout=20).number == 0


def test_a_timeout_holds_behind_another_thread(tmp_path):
    """While a thread waits for the lock without limit, an ask in another one ends when its time is up."""
    made = study(tmp_path)
    trial = made.ask()
    with (tmp_path / "queue").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=trial.tell, args=(1.0,))
        thread.start()
        wait_until(lambda: made._session.store.journal._lock._queue is not None)
        asks_within(tmp_path, 5.0, lambda _: made.ask(timeout=0.3))
    thread.join()
    assert trial.ended == "told"


def test_a_timeout_holds_once_all_is_done(tmp_path):
    """When all is done an ask tidies up, unless the lock stays taken for longer than it may wait."""
    made = study(tmp_path, size=1, steps=1)
    made.ask().tell(1.0)
    with (tmp_path / "queue").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        assert made.ask(timeout=0.3) is None
        assert time.monotonic() - began < 5.0
    assert made.ask() is None
    assert os.listdir(tmp_path / "workers") == []


def test_a_lock_timeout_that_is_shorter_is_said(tmp_path):
    """A process that limits the wait for the lock hears of the lock, not of trials."""
    made = study(tmp_path, lock_timeout=0.1)
    with (tmp_path / "lock").open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockTimeout):
            made.ask(timeout=60)


def test_a_lock_file_that_was_replaced_is_not_believed(tmp_path):
    """Whoever waited for a file that was replaced meanwhile waits for the new one, as all others do."""
    old = os.open(tmp_path / "queue", os.O_RDWR | os.O_CREAT)
    fcntl.flock(old, fcntl.LOCK_EX)
    mine = StudyLock.of(tmp_path)
    inside, go = threading.Event(), threading.Event()

    def work():
        with mine.hold(None):
            inside.set()
            go.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: mine._queue is not None)  # it waits, or is about to
    (tmp_path / "new").touch()
    os.replace(tmp_path / "new", tmp_path / "queue")
    os.close(old)
    assert inside.wait(60)
    new = os.open(tmp_path / "queue", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(new)
    go.set()
    thread.join()
