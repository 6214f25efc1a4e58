"""The line before the lock of a study in PostgreSQL: first come, first served, and read at its head."""

from __future__ import annotations

import gc
import threading

import pytest

from hoptim.errors import LockTimeout
from hoptim.store import line_format

pytest.importorskip("psycopg")

from hoptim.store.postgres.database import Database
from hoptim.store.postgres.traffic import Traffic
from hoptim.store.postgres.turn import Turn, key_of
from tests.builders import wait_until
from tests.journals import append, ops, read
from tests.postgres_studies import Held, Made

pytestmark = pytest.mark.postgres


@pytest.fixture
def made(server, monkeypatch):
    """A study with record 0, whose journals are as in processes of their own."""
    monkeypatch.setattr(Turn, "of", Turn)
    monkeypatch.setattr(Database, "of", lambda address, _: Database(address))
    return Made(server)


@pytest.fixture
def crowded(monkeypatch):
    """Make all journals read at the head of the line, and not before."""
    monkeypatch.setattr(Traffic, "is_crowded", True)
    monkeypatch.setattr(Traffic, "is_behind", False)


def waiting(made):
    """How many wait for a lock."""
    found = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return made.server.ask(found)[0][0]


def join(journal, name, ahead=True):
    """A thread that appends one record in a hold."""

    def work():
        with journal.hold(None, (lambda: read(journal)) if ahead else None):
            read(journal)
            journal.append([{"op": name}])

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_who_waits_has_read_what_came_before(made, crowded):
    """At the head of the line all is read that was appended until then; the hold finds the rest."""
    journal, other = made.journal(), made.journal()
    append(other, "x")
    with Held(made):
        thread = join(journal, "mine")
        wait_until(lambda: waiting(made) == 1)
        assert journal.count == 2
        made.server.ask(
            "INSERT INTO hoptim_record SELECT id, 2, %s FROM hoptim_study WHERE uuid = %s",
            line_format.encode({"n": 2, "op": "y"}, made.lines()[-1][:8].encode())[:-1].decode(), made.uuid,
        )  # fmt: skip
    thread.join()
    assert ops(made.journal()) == ["create", "x", "y", "mine"]


@pytest.mark.parametrize("ahead", [[True] * 4, [False] * 4, [True, False, True, False]])
def test_first_come_first_served(made, crowded, ahead):
    """Whoever reads at the head of the line and whoever does not get the lock in the order they came."""
    journals = [made.journal() for _ in ahead]
    for journal in journals:
        read(journal)
    threads = []
    with Held(made):
        for i, (journal, reads) in enumerate(zip(journals, ahead, strict=True)):
            threads.append(join(journal, f"op{i}", reads))
            wait_until(lambda i=i: waiting(made) == i + 1)
    for thread in threads:
        thread.join()
    assert ops(made.journal()) == ["create", "op0", "op1", "op2", "op3"]


@pytest.mark.parametrize("reads", [True, False])
def test_who_gives_up_leaves_the_line(made, crowded, reads):
    """After a timeout others get the lock at once, though the connection stays."""
    journal = made.journal()
    ahead = (lambda: read(journal)) if reads else None
    with Held(made), pytest.raises(LockTimeout), journal.hold(0.2, ahead):
        pass
    other = made.journal()
    with other.hold(2.0):
        read(other)
        other.append([{"op": "x"}])
    append(journal, "y")
    assert ops(made.journal()) == ["create", "x", "y"]


def test_an_error_at_the_head_of_the_line_leaves_it(made, crowded):
    """What cannot be read ahead keeps nobody waiting."""
    journal = made.journal()

    def fail():
        raise KeyError

    with pytest.raises(KeyError), journal.hold(None, fail):
        pass
    with made.journal().hold(2.0):
        pass


def test_whoever_stands_at_the_head_of_the_line_is_named(made):
    """If nobody has the lock, it is the one in front who keeps others waiting."""
    import psycopg

    study = f"study {made.name} {made.uuid}"
    with psycopg.connect(
        f"host=127.0.0.1 port={made.server.port} user=postgres dbname=postgres",
        application_name="somebody in front", autocommit=True,
    ) as session:  # fmt: skip
        session.execute(f"SELECT pg_advisory_lock({key_of(f'the line before {study}')})".encode())
        with pytest.raises(LockTimeout, match="is held by somebody in front"), made.journal().hold(0.1):
            pass


def test_no_garbage_is_collected_in_a_hold(made, crowded):
    """Nor is it at the head of the line, but again when the hold has ended."""
    journal, enabled = made.journal(), []
    with journal.hold(None, lambda: enabled.append(gc.isenabled())):
        enabled.append(gc.isenabled())
    assert [*enabled, gc.isenabled()] == [False, False, True]
