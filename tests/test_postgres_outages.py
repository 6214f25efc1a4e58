"""Servers of PostgreSQL that stop, crash, lose records, or hand over to a standby."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hoptim.errors import StoreError, StudyDamaged

pytest.importorskip("psycopg")

from hoptim.store.liveness import Watch
from hoptim.store.postgres import database
from tests import postgres_cluster
from tests.builders import ROOT, study, wait_until
from tests.journals import append, ops, read
from tests.postgres_studies import Held, Made

pytestmark = pytest.mark.postgres

SAVING = """
import os, signal, sys, hoptim
trial = hoptim.load(sys.argv[1]).ask()
trial.draft.write_text("half")
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(trial.draft))
os.rename(sys.argv[2] + ".new", sys.argv[2])
signal.pause()
"""


@pytest.fixture
def own():
    """A study on a server of its own, which may be stopped."""
    if why := postgres_cluster.why_missing():
        pytest.skip(why)
    with postgres_cluster.cluster() as running:
        yield Made(running)


def test_every_acknowledged_record_survives_a_crash(own):
    """A server whose processes are killed at once has all that was acknowledged, and workers go on."""
    journal, other = own.journal(), own.journal()
    for i in range(3):
        append(journal, f"x{i}")
        own.server.kill()
        own.server.start()
        append(other, f"y{i}")
    assert ops(own.journal()) == ["create", "x0", "y0", "x1", "y1", "x2", "y2"]


def test_who_joins_while_the_server_crashes_removes_no_drafts_of_others(own, tmp_path, monkeypatch):
    """Others claim and save once the lock is lost; what was looked for in that hold is looked for again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = study(own.server.url("joined"), size=2, checkpoints=f"file://{tmp_path}/bucket")
    draft, remove_idle, others = tmp_path / "draft", Watch.remove_idle, []

    def overtaken(watch, busy):
        monkeypatch.setattr(Watch, "remove_idle", remove_idle)
        own.server.kill()
        own.server.start()
        others.append(
            subprocess.Popen([sys.executable, "-c", SAVING, str(made.path), str(draft)], cwd=ROOT)
        )
        wait_until(draft.exists)
        remove_idle(watch, busy)

    monkeypatch.setattr(Watch, "remove_idle", overtaken)
    try:
        assert made.ask().number == 1
        assert Path(draft.read_text()).exists()
    finally:
        others[0].kill()
        others[0].wait()
    shown = own.server.ask("SELECT name FROM hoptim_sign WHERE kind = 'workers'")
    assert len(shown) == 2


def test_a_restart_ends_no_wait_for_the_lock(own, caplog):
    """Who waits for the lock while the server restarts waits on, says so, and has it in the end."""
    thread = threading.Thread(target=append, args=(own.journal(), "x"))
    with Held(own), caplog.at_level(logging.WARNING, logger="hoptim"):
        thread.start()
        wait_until(own.waiting)
        own.server.restart()
        thread.join(60)
    assert ops(own.journal()) == ["create", "x"]
    assert "cannot be reached" in caplog.text


def test_a_restart_ends_no_wait_for_records(own):
    """A wait for records ends when the server goes away, and the read behind it goes on once it is back."""
    journal, found = own.journal(), []
    read(journal)

    def wait():
        while "x" not in found:
            journal.wait(60.0)
            found.extend(ops(journal))

    thread = threading.Thread(target=wait)
    thread.start()
    own.server.restart()
    append(own.journal(), "x")
    thread.join(60)
    assert found == ["x"]


def test_a_stopped_server_is_waited_for(own, caplog):
    """A read and a hold that begin while the server is away are tried until it is back."""
    reader, writer = own.journal(), own.journal()
    read(reader)
    own.server.stop()
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.extend(ops(reader))),
        threading.Thread(target=append, args=(writer, "x")),
    ]
    with caplog.at_level(logging.WARNING, logger="hoptim"):
        for thread in threads:
            thread.start()
        wait_until(lambda: "cannot be reached" in caplog.text)
        own.server.start()
        for thread in threads:
            thread.join(60)
    assert ops(own.journal()) == ["create", "x"]
    assert found in ([], ["x"])


def test_a_server_that_stays_away_is_an_error(own, monkeypatch):
    """After a time it is said that the server cannot be reached, and why."""
    monkeypatch.setattr(database, "AWAY", 0.2)
    journal = own.journal()
    own.server.stop()
    with pytest.raises(StoreError, match="onnection refused") as caught:
        read(journal)
    assert caught.value.errno == errno.ECONNREFUSED
    with pytest.raises(StoreError, match="take the lock of"), journal.hold(0.0):
        pass


def test_a_server_that_lost_records_is_noticed(own, tmp_path):
    """After a backup was put back, those who recorded more go on no longer; others read what there is."""
    journal, looker = own.journal(), own.journal()
    append(journal, "x")
    own.server.stop()
    own.server.copy_data(tmp_path / "backup")
    own.server.start()
    append(journal, "y")
    assert ops(looker) == ["create", "x", "y"]
    own.server.stop()
    own.server.put_back(tmp_path / "backup")
    own.server.start()
    for call in (read, append):
        with pytest.raises(StudyDamaged, match="record 2 is no longer there"):
            call(journal)
    assert read(looker)[0]
    assert ops(own.journal()) == ["create", "x"]


def test_a_failover_loses_nothing(own, monkeypatch):
    """A synchronous standby that takes over has every record, and workers who know both hosts find it."""
    with postgres_cluster.standby(own.server) as standby:
        wait_until(lambda: own.server.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))
        both = f"127.0.0.1:{own.server.port},127.0.0.1"
        monkeypatch.setattr(
            own.server,
            "url",
            lambda name, port: f"postgresql://postgres@{both}:{standby.port}/postgres?study={name}",
        )
        journal = own.journal()
        append(journal, "x")
        own.server.kill()
        standby.promote()
        append(journal, "y")
        assert ops(own.journal()) == ["create", "x", "y"]
        own.server = standby
        assert len(own.lines()) == 3


def test_a_secret_is_in_no_message(own, monkeypatch, caplog):
    """A password that is refused is in no error and no log, and no time is lost in trying it again."""
    own.server.ask("CREATE ROLE alice LOGIN PASSWORD 'right'")
    own.server.set_login("alice", "scram-sha-256")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    url = own.server.url
    monkeypatch.setattr(own.server, "url", lambda name, port: url(name, port, user="alice"))
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError, match="password") as caught:
        read(own.journal())
    told = f"{caught.value} {caught.value.args} {caught.value.__cause__!r} {caplog.text}"
    assert (caught.value.errno, "hunter2" in told) == (errno.EACCES, False)
    assert os.environ["PGPASSWORD"] == "hunter2"
