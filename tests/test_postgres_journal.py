"""The journal in PostgreSQL: order, bytes, readers, damage, and what wakes a waiter."""

from __future__ import annotations

import os
import threading
import time

import pytest

from hoptim.errors import HoldLost, StudyDamaged, StudyMismatch

pytest.importorskip("psycopg")

from hoptim.store.journal import FileJournal
from tests.builders import wait_until
from tests.journals import append, ops, read
from tests.postgres_studies import Held, Made

pytestmark = pytest.mark.postgres


@pytest.fixture
def made(server):
    """A study with record 0."""
    return Made(server)


def test_two_see_what_each_other_wrote(made):
    """Each reader gets every record once and in order, whoever wrote it."""
    a, b = made.journal(), made.journal()
    assert (ops(a), ops(b)) == (["create"], ["create"])
    append(a, "x", "y")
    append(b, "z")
    assert (ops(a), read(a)) == (["z"], (False, []))
    assert [record["n"] for record in read(made.journal())[1]] == [0, 1, 2, 3]
    assert a.count == b.count == 4


def test_the_lines_are_those_of_a_file(made, tmp_path):
    """The same records make the same bytes in a directory and in a database."""
    (tmp_path / "journal.jsonl").write_text(made.lines()[0] + "\n")
    file, rows = FileJournal(tmp_path, made.uuid), made.journal()
    for records in (
        [{"op": "x", "text": "Größe \\ ' % %s \u2028", "value": 1.5}],
        [{"op": "y", "list": [1, None, True]}, {"op": "z"}, {"op": "w"}],
    ):
        for journal in (file, rows):
            with journal.hold(None):
                read(journal)
                journal.append(records)
    assert "".join(line + "\n" for line in made.lines()) == (tmp_path / "journal.jsonl").read_text()


def test_a_hold_may_append_several_times(made):
    """What one append adds is known to the next one, and all of it is one commit."""
    journal = made.journal()
    with journal.hold(None):
        read(journal)
        journal.append([{"op": "x"}])
        assert (read(journal), journal.count) == ((False, []), 2)
        journal.append([{"op": "y"}, {"op": "z"}])
        assert len(made.lines()) == 1
    assert ops(made.journal()) == ["create", "x", "y", "z"]


def test_an_append_is_all_or_nothing(made):
    """When one of its numbers is given already, none of its records is added."""
    journal = made.journal()
    read(journal)
    made.execute("INSERT INTO hoptim_record VALUES ({id}, 2, 'foreign')")
    with pytest.raises(HoldLost), journal.hold(None):
        journal.append([{"op": "x"}, {"op": "y"}])
    assert made.lines()[1:] == ["foreign"]


def test_a_block_that_fails_adds_nothing(made):
    """An error in a hold takes back what was appended in it, and the journal reads anew."""
    journal = made.journal()
    with pytest.raises(KeyError), journal.hold(None):
        read(journal)
        journal.append([{"op": "x"}])
        raise KeyError
    assert (len(made.lines()), journal.count) == (1, 0)
    assert read(journal)[0]
    append(journal, "y")
    assert ops(made.journal()) == ["create", "y"]


def test_readers_need_no_lock(made):
    """While another one holds the lock, all that is acknowledged can be read."""
    append(made.journal(), "x")
    with Held(made):
        assert ops(made.journal()) == ["create", "x"]


def test_long_journals_come_in_portions(made):
    """Many rows, and long ones, are handed over some at a time, all of them in order."""
    journal, portions = made.journal(), []
    append(journal, *["x"] * 6000)
    with journal.hold(None):
        journal.append([{"op": "y", "text": "z" * 900_000}] * 6)
    made.journal().read(lambda void, records: portions.append((void, [r["n"] for r in records])))
    assert len(portions) >= 3
    assert [void for void, _ in portions] == [True, *[False] * (len(portions) - 1)]
    assert [n for _, numbers in portions for n in numbers] == list(range(6007))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("DELETE FROM hoptim_record WHERE study = {id} AND n = 2", "record 2: it is missing"),
        ("UPDATE hoptim_record SET line = line || ' ' WHERE study = {id} AND n = 2", "record 2: its line"),
        (
            "UPDATE hoptim_record SET line = replace(line, 'x', 'y') WHERE study = {id} AND n = 1",
            "record 1",
        ),
        ("UPDATE hoptim_record SET line = 'a' || chr(10) || 'b' WHERE study = {id} AND n = 3", "record 3"),
        ("UPDATE hoptim_record SET n = n + 1 WHERE study = {id} AND n = 3", "record 3: it is missing"),
        ("DELETE FROM hoptim_record WHERE study = {id}", "records of .* are gone"),
        ("DELETE FROM hoptim_study WHERE id = {id}", "gone with the study"),
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_damage_is_refused(made, change, what, held):
    """Rows that are missing or changed are reported with their number, never skipped."""
    append(made.journal(), "x", "y", "z")
    made.execute(change)
    journal = made.journal()
    with pytest.raises(StudyDamaged, match=what):
        if held:
            append(journal, "w")
        else:
            read(journal)


def test_a_study_made_anew_is_not_written(made):
    """A worker of an old study refuses the rows of a new one of the same name."""
    journal = made.journal()
    read(journal)
    made.execute("DELETE FROM hoptim_study WHERE id = {id}")
    made.backend().create({}, 1, None)
    with pytest.raises(StudyMismatch, match="made anew"):
        append(journal, "x")


def test_rows_that_were_put_back_are_read_anew(made):
    """A reader whose last record is another one now is told that all older ones are void."""
    looker = made.journal()
    append(made.journal(), "x")
    read(looker)
    made.execute("DELETE FROM hoptim_record WHERE study = {id} AND n = 1")
    append(made.journal(), "y")
    void, found = read(looker)
    assert (void, [record["op"] for record in found]) == (True, ["create", "y"])


def test_rows_that_are_put_back_between_two_portions_are_read_anew(made):
    """A server that takes over while a long journal is read has no damage: it is read from the front."""
    journal, portions = made.journal(), []
    with journal.hold(None):
        read(journal)
        journal.append([{"op": "x", "text": "z" * 900_000}] * 6)

    def take(void, records):
        portions.append((void, [record["n"] for record in records]))
        if len(portions) == 1:
            made.execute("DELETE FROM hoptim_record WHERE study = {id} AND n > 1")
            append(made.journal(), "y")

    made.journal().read(take)
    assert portions == [(True, [0, 1, 2, 3, 4, 5]), (True, [0, 1, 2])]


def test_own_records_that_are_gone_are_missed(made):
    """Whoever recorded what is no longer there says so at every call, with the lock and without."""
    journal = made.journal()
    append(journal, "x")
    made.execute("DELETE FROM hoptim_record WHERE study = {id} AND n = 1")
    append(made.journal(), "y")
    for call in (read, append, read):
        with pytest.raises(StudyDamaged, match="put back to an earlier moment"):
            call(journal)
    assert len(made.lines()) == 2


def test_a_waiter_is_woken(made):
    """A wait ends when another one appends, long before its time is up."""
    journal, began = made.journal(), time.monotonic()
    read(journal)
    thread = threading.Thread(target=journal.wait, args=(60.0,))
    thread.start()
    append(made.journal(), "x")
    thread.join(50)
    assert not thread.is_alive()
    assert time.monotonic() - began < 50
    assert ops(journal) == ["x"]


def test_what_came_before_the_wait_counts(made):
    """Records that were appended between a read and a wait end the wait at once."""
    journal, began = made.journal(), time.monotonic()
    read(journal)
    append(made.journal(), "x")
    journal.wait(60.0)
    assert time.monotonic() - began < 50


def test_own_records_wake_nobody(made):
    """A wait behind an own append, or behind records that were read, lasts as long as it should."""
    journal, other = made.journal(), made.journal()
    append(journal, "x")
    append(other, "y")
    read(journal)
    began = time.monotonic()
    journal.wait(0.3)
    assert time.monotonic() - began >= 0.3


def test_a_waiting_thread_keeps_nobody_out(made):
    """While one thread of a process waits for records, another one appends with the same journal."""
    journal = made.journal()
    read(journal)
    thread = threading.Thread(target=journal.wait, args=(60.0,))
    thread.start()
    append(journal, "x")
    with journal.hold(5.0):
        assert len(made.lines()) == 2
    append(made.journal(), "y")
    thread.join(50)
    assert not thread.is_alive()


def test_a_forked_child_has_a_connection_of_its_own(made):
    """A child reads and appends from the front, and its end leaves its parent's session as it was."""
    journal = made.journal()
    append(journal, "x")
    session = journal._database.run("SELECT pg_backend_pid()")
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            failed = int(ops(journal) != ["create", "x"])
            append(journal, "child")
            failed |= int(journal._database.run("SELECT pg_backend_pid()") == session)
        finally:
            os._exit(failed)
    assert os.waitpid(pid, 0)[1] == 0
    assert journal._database.run("SELECT pg_backend_pid()") == session
    assert ops(journal) == ["child"]


def test_a_child_does_not_keep_the_session_of_its_killed_parent(made):
    """The lock of a process that was killed in a hold is free, though a child forked in it lives on."""
    told, tell = os.pipe()
    parent = os.fork()
    if parent == 0:
        with made.journal().hold(None):
            child = os.fork()
            if child:
                os.write(tell, b"%d" % child)
                os.kill(os.getpid(), 9)
            while True:
                time.sleep(1)
    os.waitpid(parent, 0)
    child = int(os.read(told, 20))
    try:
        with made.journal().hold(20.0):
            pass
    finally:
        os.kill(child, 9)
    wait_until(lambda: not made.waiting())


def test_a_journal_that_nobody_has_is_closed(made):
    """Sessions end with the objects that they are of, and do not pile up on the server."""
    backend, count = made.backend(), "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL"
    backend.signs("workers").names()
    before = made.server.ask(count)
    for _ in range(3):
        append(made.journal(), "x")
    wait_until(lambda: made.server.ask(count) == before)
    assert backend.signs("workers").names() == []
