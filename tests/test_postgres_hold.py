"""Holds in PostgreSQL: one at a time, and given up in time."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

import pytest

from hoptim.errors import LockTimeout, OptimizerError

pytest.importorskip("psycopg")

from hoptim.store.postgres import turn
from hoptim.store.postgres.database import Database
from tests.builders import wait_until
from tests.journals import append, ops, read
from tests.postgres_studies import Held, Made

pytestmark = pytest.mark.postgres


@pytest.fixture
def made(server):
    """A study with record 0."""
    return Made(server)


def count_up(journal, times):
    """Append records that count on from what is there, which only those can who are alone."""
    for _ in range(times):
        with journal.hold(None):
            read(journal)
            journal.append([{"op": "x", "seen": journal.count}])


def assert_counted(made, times):
    """Nobody read between the read and the append of another one."""
    records = read(made.journal())[1]
    assert [record.get("seen", 0) for record in records] == list(range(times + 1))


def test_threads_exclude_each_other(made):
    """Threads that share a journal, and threads with one each, read and append one after the other."""
    shared = made.journal()
    journals = [shared, shared, made.journal(), made.journal()]
    threads = [threading.Thread(target=count_up, args=(journal, 25)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_counted(made, 100)


def test_processes_exclude_each_other(made):
    """Processes that do so lose no record either."""
    pids = []
    for _ in range(4):
        pids.append(os.fork())
        if pids[-1] == 0:
            failed = 1
            try:
                count_up(made.journal(), 25)
                failed = 0
            finally:
                os._exit(failed)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert_counted(made, 100)


def test_a_timeout_names_the_holder(made):
    """Who waits no longer than so many seconds hears who has the lock."""
    journal = made.journal()
    with Held(made):
        for seconds in (0.0, 0.2):
            with pytest.raises(LockTimeout, match="is held by somebody"), journal.hold(seconds):
                pass
    append(journal, "x")


def test_holders_name_process_and_host(made, monkeypatch):
    """A holder of hoptim's is named by its pid and host, to one that waits in another process."""
    monkeypatch.setattr(turn.Turn, "of", turn.Turn)
    monkeypatch.setattr(Database, "of", lambda address, _: Database(address))
    name = f"hoptim {os.getpid()}@{os.uname().nodename}"[:63]
    with made.journal().hold(None), pytest.raises(LockTimeout, match=name), made.journal().hold(0.0):
        pass


def test_who_waits_without_limit_logs_the_holder(made, monkeypatch, caplog):
    """A wait that has no end says now and then for whom, and then has the lock."""
    monkeypatch.setattr(turn, "_LOG_EVERY", 0.05)
    held = Held(made)
    thread = threading.Thread(target=append, args=(made.journal(), "x"))
    with caplog.at_level(logging.WARNING, logger="hoptim"):
        thread.start()
        wait_until(lambda: caplog.text.count("held by somebody") >= 2)
    held.let_go()
    thread.join()
    assert ops(made.journal()) == ["create", "x"]


def stop(number, frame):
    raise EOFError


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGUSR1, EOFError)]
)
def test_an_interrupted_wait_leaves_the_line(made, number, error):
    """A signal ends a wait for the lock, also on the server, and the lock can be taken afterwards."""
    journal, main = made.journal(), threading.main_thread().ident
    assert main is not None

    def interrupt():
        wait_until(made.waiting)
        signal.pthread_kill(main, number)

    signal.signal(signal.SIGUSR1, stop)
    with Held(made):
        thread = threading.Thread(target=interrupt)
        thread.start()
        began = time.monotonic()
        with pytest.raises(error), journal.hold(None):
            pass
        thread.join()
        assert time.monotonic() - began < 15.0  # not when the test has to be ended
        wait_until(lambda: not made.waiting())
    append(journal, "x")


def test_a_hold_within_a_hold_is_an_error(made):
    """Entering twice in one thread would wait for itself for ever, so it is refused."""
    with made.journal().hold(None), pytest.raises(OptimizerError), made.journal().hold(None):
        pass
    append(made.journal(), "x")


def test_a_hold_without_an_append_adds_nothing_and_costs_no_time(made):
    """A hold in which nothing was appended leaves no open transaction behind."""
    journal, began = made.journal(), time.monotonic()
    with journal.hold(None):
        read(journal)
    with Held(made):
        assert time.monotonic() - began < 30
    assert len(made.lines()) == 1
