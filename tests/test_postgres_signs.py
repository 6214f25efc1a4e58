"""Signs of life in PostgreSQL: shown, beaten, looked at, and taken away with a hold or without."""

from __future__ import annotations

import os
import threading

import pytest

from hoptim.errors import StoreError, StudyDamaged

pytest.importorskip("psycopg")

from hoptim.store.postgres import signs as module
from tests import postgres_cluster
from tests.journals import append, read
from tests.postgres_studies import Held, Made, Proxy, journal_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def made(server):
    """A study with record 0."""
    return Made(server)


def age(made, name, seconds):
    """Move a beat into the past."""
    change = f"UPDATE hoptim_sign SET beat = beat - interval '{seconds} s'"
    made.execute(f"{change} WHERE study = {{id}} AND name = '{name}'")


def test_others_see_what_is_shown(made):
    """A sign has what its process wrote, and is of one kind and one study alone."""
    mine, others = made.backend().signs("workers"), made.backend().signs("workers")
    mine.show(["a", "b'\\"], b"\x00about\xff")
    found = others.look("a")
    assert (found.about, 0.0 <= found.silent < 60) == (b"\x00about\xff", True)
    assert others.names() == ["a", "b'\\"]
    assert (
        made.backend().signs("pins").names() == Made(made.server).backend().signs("workers").names() == []
    )
    assert others.look("c") is None
    assert (mine.is_shown("a"), mine.is_shown("c")) == (True, False)


def test_a_beat_changes_the_stamp(made):
    """Looks between two beats see one stamp, and how long ago it was by the server's clock."""
    mine, others = made.backend().signs("workers"), made.backend().signs("workers")
    mine.show(["a"], b"")
    age(made, "a", 100)
    first = others.look("a")
    assert (others.look("a").stamp, 100 <= first.silent < 160) == (first.stamp, True)
    assert mine.beat(["a"]) == 1
    second = others.look("a")
    assert (second.stamp != first.stamp, second.silent < 60) == (True, True)


def test_a_beat_says_what_is_left(made):
    """A process whose sign was taken away learns so from its beat, which shows nothing anew."""
    mine = made.backend().signs("workers")
    mine.show(["a", "b"], b"")
    made.backend().signs("workers").hide(["a", "c"])
    assert (mine.beat(["a", "b"]), mine.beat(["a"]), mine.names()) == (1, 0, ["b"])


def test_a_sign_is_away_once_the_hold_is_durable(made):
    """What is taken away in a hold is away with its records, and stays if they do not get there."""
    backend = made.backend()
    journal, mine, others = (
        journal_of(backend, made.uuid),
        backend.signs("workers"),
        made.backend().signs("workers"),
    )
    mine.show(["a", "b"], b"")
    with pytest.raises(KeyError), journal.hold(None):
        mine.hide(["a"])
        raise KeyError
    assert others.names() == ["a", "b"]
    with journal.hold(None):
        read(journal)
        journal.append([{"op": "x"}])
        mine.hide(["a"])
        assert others.names() == ["a", "b"]
        assert len(made.lines()) == 1
    assert (others.names(), len(made.lines())) == (["b"], 2)
    with journal.hold(None):
        mine.hide(["b"])
    assert others.names() == []


def test_another_thread_takes_its_signs_away_by_itself(made):
    """Only the thread that has the lock puts off what it takes away."""
    backend = made.backend()
    mine = backend.signs("workers")
    mine.show(["a"], b"")
    with journal_of(backend, made.uuid).hold(None):
        thread = threading.Thread(target=mine.hide, args=(["a"],))
        thread.start()
        thread.join()
        assert mine.names() == []


def test_beats_wait_for_no_lock(made):
    """While a thread waits for the study's lock, others beat, look, show and take away."""
    backend = made.backend()
    mine = backend.signs("workers")
    mine.show(["a"], b"")
    thread = threading.Thread(target=append, args=(journal_of(backend, made.uuid), "x"))
    with Held(made):
        thread.start()
        while not made.waiting():
            assert mine.beat(["a"]) == 1
        mine.show(["b"], b"")
        assert (mine.beat(["a", "b"]), mine.look("b").about) == (2, b"")
    thread.join()


def test_a_beat_does_not_wait_for_who_takes_it_away(made):
    """A holder that has taken a sign away and is not done yet keeps no beat waiting."""
    import psycopg

    mine = made.backend().signs("workers")
    mine.show(["a", "b"], b"")
    age(made, "b", 100)
    where = f"host=127.0.0.1 port={made.server.port} user=postgres dbname=postgres"
    with psycopg.connect(where) as holder:
        holder.execute("DELETE FROM hoptim_sign WHERE name = 'a'")
        assert mine.beat(["a", "b"]) == 2
        assert mine.look("b").silent < 60
        holder.rollback()


def test_garbage_may_be_collected_in_the_midst_of_a_call(made, monkeypatch):
    """A sign that is taken away by the same thread while its connection is busy goes right afterwards."""
    mine = made.backend().signs("pins")
    mine.show(["a", "b"], b"")
    real = module.Database.run

    def run(database, *query):
        monkeypatch.setattr(module.Database, "run", real)
        mine.hide(["a"])
        return real(database, *query)

    monkeypatch.setattr(module.Database, "run", run)
    assert mine.beat(["a", "b"]) == 2
    assert mine.names() == ["b"]


def test_a_forked_child_has_a_connection_of_its_own(made):
    """A child beats and shows while its parent does, each on its own connection."""
    mine = made.backend().signs("workers")
    mine.show(["a"], b"")
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            mine.show(["child"], b"")
            failed = int(mine.beat(["child", "a"]) != 2)
        finally:
            os._exit(failed)
    beats = [mine.beat(["a"]) for _ in range(20)]
    assert (os.waitpid(pid, 0)[1], set(beats)) == (0, {1})
    assert mine.names() == ["a", "child"]


def test_signs_of_a_study_that_is_gone(made):
    """Nothing can be shown in a study that was removed, and beats find nothing."""
    mine = made.backend().signs("workers")
    mine.show(["a"], b"")
    made.execute("DELETE FROM hoptim_study WHERE id = {id}")
    assert (mine.beat(["a"]), mine.names()) == (0, [])
    with pytest.raises(StudyDamaged, match="is gone"):
        mine.show(["a"], b"")


def test_a_missed_beat_is_an_error_and_a_missed_hide_is_none(made):
    """While the server is away a beat fails at once, hiding passes, and both work again afterwards."""
    proxy = Proxy(made.server.port)
    made.port = proxy.port
    mine = made.backend().signs("workers")
    mine.show(["a", "b"], b"")
    proxy.trigger, proxy.forward = b"UPDATE hoptim_sign", False
    with pytest.raises(StoreError):
        mine.beat(["a"])
    assert mine.beat(["a"]) == 1
    proxy.trigger = b"DELETE FROM hoptim_sign"
    mine.hide(["a"])
    assert mine.names() == ["a", "b"]
    proxy.close()


def test_looks_wait_for_a_server_that_restarts():
    """A look or a new sign does not fail because the server restarted meanwhile."""
    if why := postgres_cluster.why_missing():
        pytest.skip(why)
    with postgres_cluster.cluster() as running:
        mine = Made(running).backend().signs("workers")
        mine.show(["a"], b"")
        running.restart()
        assert mine.look("a") is not None
        running.restart()
        mine.show(["b"], b"")
        running.restart()
        assert mine.beat(["a", "b"]) == 2
