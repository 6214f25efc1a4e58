"""How many messages a decision takes in PostgreSQL, and that nothing is missed by sparing others."""

from __future__ import annotations

import gc
import itertools
import threading
import time

import pytest

import hoptim
from hoptim.store.liveness import Watch
from hoptim.store.shape import StudyShape

pytest.importorskip("psycopg")

from hoptim.store.postgres import hold
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.backend import PostgresBackend
from hoptim.store.postgres.database import Database

pytestmark = pytest.mark.postgres

SHAPE = StudyShape(size=2, steps=9, seed=0, sign=1)
_numbers = itertools.count()


@pytest.fixture
def url(server):
    """The address of a study that is not there yet."""
    return server.url(f"messages-{next(_numbers)}")


@pytest.fixture
def sent(monkeypatch):
    """The messages that this process sends from now on."""
    messages = []
    run = Database.run

    def noted(database, statements, *parameters):
        messages.append(statements)
        return run(database, statements, *parameters)

    monkeypatch.setattr(Database, "run", noted)
    return messages


@pytest.fixture
def made(url):
    """A function that returns a backend, as another process would have, of a study that is there."""
    PostgresBackend(Address.of(url)).create({"size": 2}, 9, None)
    return lambda: PostgresBackend(Address.of(url))


def records(backend):
    """The records of a study that is there."""
    return backend.records(backend.read().uuid, SHAPE).journal


def append(journal, count=1):
    """One append of some records."""
    with journal.hold(None):
        journal.read(lambda void, records: None)
        if count:
            journal.append([{"op": "x"}] * count)


@pytest.fixture
def study(url):
    """A study whose members need not wait for each other, and a loop over its trials."""
    space = {"x": hoptim.Float(0.0, 1.0)}
    opened = hoptim.Study(url, space=space, size=4, steps=99, mode="min", seed=0, lead=99)
    trials = iter(opened)
    yield opened, trials
    trials.close()
    opened._session.store.leave()


def test_a_tell_and_the_next_ask_are_two_messages(study, sent):
    """One takes the lock and reads, one appends and commits, however long the trial of a lone worker."""
    _, trials = study
    trial = next(trials)
    trial.tell(0.0)  # finds out which sign is its worker's
    trial = next(trials)
    for _ in range(5):
        sent.clear()
        trial.tell(0.0)
        trial = next(trials)
        assert [len(sent), sent[0][:5], sent[1][:6]] == [2, "BEGIN", "INSERT"]


def test_a_worker_whose_sign_was_taken_away_claims_nothing(study, url):
    """It learns so in the hold; what it tells counts, and it claims under another name afterwards."""
    opened, trials = study
    for _ in range(3):
        next(trials).tell(0.0)
    worker = opened._session.store._workers.name
    trial = next(trials)
    PostgresBackend(Address.of(url)).signs("workers").hide([worker])
    trial.tell(0.5)
    assert opened._session.store.state.open.held_by(worker) == []
    trial = next(trials)
    assert opened._session.store._workers.name != worker
    trial.tell(-0.25)
    assert opened.best.value == -0.25


def test_a_sign_is_asked_for_once_and_then_comes_with_each_hold(made, sent):
    """Within a hold it is known without a message, whoever took it away before; outside it is asked for."""
    backend = made()
    journal, mine = records(backend), backend.signs("workers")
    mine.show(["a", "b"], b"")
    with journal.hold(None):
        assert mine.is_shown("a")
    for shown in (True, False):
        with journal.hold(None):
            sent.clear()
            assert (mine.is_shown("a"), sent) == (shown, [])
            assert (mine.is_shown("b"), len(sent)) == (True, 1)
            assert (mine.is_shown("a"), len(sent)) == (shown, 2)
        with journal.hold(None):
            assert mine.is_shown("a") == shown
        made().signs("workers").hide(["a"])
        assert not mine.is_shown("a")


def test_what_is_known_in_a_hold_is_for_its_thread(made, sent):
    """Another thread asks the server."""
    backend = made()
    journal, mine = records(backend), backend.signs("workers")
    mine.show(["a"], b"")
    with journal.hold(None):
        mine.is_shown("a")
    with journal.hold(None):
        sent.clear()
        thread = threading.Thread(target=mine.is_shown, args=("a",))
        thread.start()
        thread.join()
        assert len(sent) == 1


def test_a_connection_is_closed_with_its_owner(url):
    """It waits for no collection of garbage, so that a server does not run out of connections."""
    gc.disable()
    try:
        database = Database(Address.of(url))
        connection = database.open()
        del database
        assert connection.closed
    finally:
        gc.enable()


def test_who_does_not_wait_hears_nothing(made):
    """A worker that holds the lock again listens no longer, so that appends of others do not wake it."""
    journal, other = records(made()), records(made())
    append(journal)
    journal.wait(0.01)
    append(other)
    journal.wait(60.0)
    append(journal)
    told = journal._database.told
    append(other)
    journal._database.run("SELECT 1")  # would bring a notification along
    assert journal._database.told == told == journal.count - 1


def test_studies_of_one_server_do_not_wait_for_each_other(made, sent):
    """Transactions that notify end one after the other, so records are committed before theirs begins."""
    append(records(made()))
    before, _, behind = sent[-1].partition("pg_notify")
    assert (before.count("COMMIT"), behind.count("COMMIT")) == (1, 1)
    assert before.index("INSERT") < before.index("COMMIT") < before.index("synchronous_commit = off")


@pytest.mark.parametrize("code", ["54000", "53100", "58030"])  # a full queue, a full disk, a faulty one
def test_a_notification_that_is_refused_undoes_nothing(made, monkeypatch, code):
    """A server that has no room for notifications has recorded what came before them, once."""
    journal = records(made())
    refused = f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$; SELECT %s, %s"
    monkeypatch.setattr(hold, "_NOTIFY", f"; BEGIN; {refused}; COMMIT")
    append(journal, 2)
    append(journal)
    found = []
    records(made()).read(lambda void, new: found.extend(new))
    assert [record["op"] for record in found] == ["create", "x", "x", "x"]


def test_what_came_before_it_listened_ends_a_wait(made):
    """A process that begins to wait finds what was appended since its last read."""
    journal, other = records(made()), records(made())
    append(journal)
    append(other)
    began = time.monotonic()
    journal.wait(60.0)
    assert time.monotonic() - began < 50


def test_only_what_somebody_may_do_wakes_those_who_wait(url, sent):
    """A worker that goes on with the only member wakes nobody, but by handing it back, and by the end."""
    study = hoptim.Study(url, space={"x": hoptim.Float(0.0, 1.0)}, size=1, steps=3, mode="min", seed=0)

    def wakes():
        found = [message for message in sent if "INSERT INTO hoptim_record" in message]
        sent.clear()
        return ["pg_notify" in message for message in found]

    wakes()
    trial = study.ask(timeout=0)
    assert wakes() == [False]
    trial.release()
    assert wakes() == [True]
    woken = []
    for trial in study:
        woken += wakes()
        trial.tell(0.0)
        woken += wakes()
    assert woken == [False, False, False, True]


def test_all_others_are_looked_at_in_one_message(made, sent):
    """A worker that looks whether others live sends no message for each."""
    mine = made().signs("workers")
    mine.show([f"other.{i}.abc" for i in range(30)], b"{}")
    watch = Watch(mine, 30.0)
    sent.clear()
    assert watch.dead(watch.in_turn(mine.names())) == []
    assert len(sent) == 2
