"""Commits of holds in PostgreSQL: fenced when the server or the network fails, found, or done again."""

from __future__ import annotations

import errno
from functools import partial

import pytest

from hoptim.errors import HoldLost, StoreError
from hoptim.store.locking.patience import limited

pytest.importorskip("psycopg")

from tests.journals import append, ops, read
from tests.postgres_studies import Made, Proxy

pytestmark = pytest.mark.postgres


@pytest.fixture
def made(server):
    """A study with record 0."""
    return Made(server)


@pytest.fixture
def proxy(server):
    """A port in front of the server, at which connections can be cut."""
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


def through(made, proxy):
    """A journal of a study that reaches the server by a proxy, and has been read."""
    made.port = proxy.port
    journal = made.journal()
    made.port = 0
    read(journal)
    return journal


@pytest.mark.parametrize("others", [True, False])
def test_a_holder_that_stalled_is_fenced(made, others):
    """When its session was ended meanwhile, nothing is added, whether others have appended or not."""
    journal = made.journal()
    append(journal, "x")
    with pytest.raises(HoldLost, match="Nothing was recorded"), journal.hold(None):
        read(journal)
        made.cut_sessions()
        if others:
            made.execute("INSERT INTO hoptim_record VALUES ({id}, 2, 'foreign')")
        journal.append([{"op": "lost"}])
    assert made.lines()[2:] == (["foreign"] if others else [])
    if not others:
        append(journal, "y")
        assert ops(made.journal()) == ["create", "x", "y"]


def test_a_holder_that_stalled_behind_its_append_is_fenced(made):
    """A session that ends between an append and the end of the hold took its records with it."""
    journal = made.journal()
    with pytest.raises(HoldLost), journal.hold(None):
        read(journal)
        journal.append([{"op": "lost"}])
        made.cut_sessions()
    assert ops(made.journal()) == ["create"]
    assert read(journal)[0]


@pytest.mark.parametrize("hidden", [True, False])
def test_a_holder_that_adds_nothing_and_was_cut_off_says_so(made, hidden):
    """Nothing that was decided without the lock passes for having been decided under it."""
    backend = made.backend()
    journal, signs = backend.records(made.uuid, None).journal, backend.signs("workers")
    signs.show(["sign"], b"{}")
    with pytest.raises(HoldLost), journal.hold(None):
        if hidden:
            signs.hide(["sign"])
        made.cut_sessions()
    assert signs.names() == ["sign"]
    append(journal, "x")
    assert ops(made.journal()) == ["create", "x"]


def test_a_reading_holder_that_was_cut_off_says_so(made):
    """Nothing that is read without the lock passes for having been read under it."""
    journal = made.journal()
    with pytest.raises(HoldLost), journal.hold(None):
        read(journal)
        made.cut_sessions()
        journal.forget()
        read(journal)
    assert ops(journal) == ["create"]


def test_a_commit_whose_answer_is_lost_is_found(made, proxy):
    """When the server committed and the network failed, the record is there once, and the call succeeds."""
    journal = through(made, proxy)
    proxy.trigger = b"; COMMIT"
    append(journal, "x", "y")
    assert proxy.trigger is None
    append(journal, "z")
    assert ops(made.journal()) == ["create", "x", "y", "z"]
    assert journal.count == 4


def test_a_commit_that_did_not_arrive_is_sent_again(made, proxy):
    """When nobody else appended, what was decided still stands, and is there once."""
    journal = through(made, proxy)
    proxy.trigger, proxy.forward = b"; COMMIT", False
    append(journal, "x", "y")
    assert proxy.trigger is None
    assert ops(made.journal()) == ["create", "x", "y"]


def test_a_commit_that_others_overtook_is_lost(made, proxy):
    """When another one appended before the lock was had again, nothing of the own append is added."""
    journal, other = through(made, proxy), made.server.url(made.name)
    proxy.trigger, proxy.forward = b"; COMMIT", False

    def overtake():
        made.cut_sessions()
        line = other
        made.execute(f"INSERT INTO hoptim_record VALUES ({{id}}, 1, '{line}')")

    proxy.meanwhile = overtake
    with pytest.raises(HoldLost):
        append(journal, "x")
    assert made.lines()[1:] == [other]


def test_a_commit_on_a_server_that_lost_records_is_lost(made, proxy):
    """When what the own append follows is gone by then, it is not put behind something else."""
    journal = through(made, proxy)
    append(journal, "x")
    proxy.trigger, proxy.forward = b"; COMMIT", False

    def put_back():
        made.cut_sessions()
        made.execute("DELETE FROM hoptim_record WHERE study = {id} AND n = 1")

    proxy.meanwhile = put_back
    with pytest.raises(HoldLost):
        append(journal, "y")
    assert len(made.lines()) == 1


def test_an_unknown_outcome_is_called_so(made, proxy, monkeypatch):
    """A server that stays away behind a commit leaves it open whether that was done, as is said."""
    monkeypatch.setattr("hoptim.store.postgres.database.AWAY", 0.3)
    journal = through(made, proxy)
    proxy.trigger, proxy.meanwhile = b"; COMMIT", proxy.close
    with pytest.raises(StoreError, match="not known whether"):
        append(journal, "x")
    assert ops(made.journal()) == ["create", "x"]


def test_a_process_that_ends_does_not_wait_for_others_to_find_out(made, proxy):
    """One that holds the lock meanwhile, and is stopped, would keep a process from ending."""
    import psycopg

    journal = through(made, proxy)
    with psycopg.connect(made.server.url("").partition("?")[0]) as stopped:
        take = "SELECT pg_advisory_lock(%s)", [journal._turn.key]
        proxy.trigger, proxy.meanwhile = b"; COMMIT", partial(stopped.execute, *take)
        with pytest.raises(StoreError, match=r"not known whether.*held by"), limited(0.5):
            append(journal, "x")
    assert ops(made.journal()) == ["create", "x"]


def test_a_full_disk_is_an_error_of_its_own(made):
    """What the server refuses is rolled back, has an errno that fits, and can be done again."""
    made.server.ask(
        "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full' "
        "USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql; CREATE TRIGGER full_disk "
        "BEFORE INSERT ON hoptim_record FOR EACH ROW EXECUTE FUNCTION full_disk()"
    )
    journal = made.journal()
    try:
        with pytest.raises(StoreError, match="disk full") as caught:
            append(journal, "x")
    finally:
        made.server.ask("DROP FUNCTION full_disk CASCADE")
    assert caught.value.errno == errno.ENOSPC
    append(journal, "y")
    assert ops(made.journal()) == ["create", "y"]


def test_acknowledged_means_durable(made):
    """A server that may answer before it has written is told to write first."""
    journal = made.journal()
    made.server.ask("ALTER ROLE postgres SET synchronous_commit = off")
    made.server.ask("ALTER ROLE postgres SET statement_timeout = 5")
    try:
        read(journal)
        assert journal._database.run("SHOW synchronous_commit; SHOW statement_timeout") == [
            [("on",)],
            [("0",)],
        ]
    finally:
        made.server.ask("ALTER ROLE postgres RESET ALL")
