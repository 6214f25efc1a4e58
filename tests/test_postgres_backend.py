"""Studies in PostgreSQL: made once, read, refused, and the tables that they are in."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

from hoptim.errors import NewerFormat, StoreError, StudyDamaged

pytest.importorskip("psycopg")

from hoptim.store.format import NEWEST
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.backend import PostgresBackend
from hoptim.store.postgres.turn import Turn
from hoptim.store.study_settings import digest_of, encoded
from tests.journals import read
from tests.postgres_studies import Made, journal_of

pytestmark = pytest.mark.postgres

_numbers = itertools.count()


@pytest.fixture
def database(server):
    """An empty database, by its name."""
    name = f"own{next(_numbers)}"
    server.ask(f"CREATE DATABASE {name}")
    return name


def opened(server, database, study="x", user="postgres", bucket=None):
    """A backend with connections of its own, as another process would have."""
    return PostgresBackend(Address.of(server.url(study, database=database, user=user)), bucket)


def test_a_study_is_made_and_read(server, database):
    """Settings come back as they were given, with what was noted on checkpoints; before there are none."""
    backend = opened(server, database, bucket="s3://bucket/x")
    assert backend.read() is None
    made = backend.create({"size": 3, "ä": 1.5}, 7, None)
    other = opened(server, database)
    assert (other.read(), other.bucket) == (made, "s3://bucket/x")
    assert (made.identity, made.steps) == ({"size": 3, "ä": 1.5}, 7)
    assert opened(server, database, "y").read() is None


def test_settings_have_the_bytes_of_a_file(server):
    """What is kept is what study.json would hold, and record 0 has its digest."""
    made = Made(server)
    ((data,),) = made.execute("SELECT settings FROM hoptim_study WHERE id = {id}")
    settings = made.backend().read()
    assert data == encoded(NEWEST, settings)
    assert json.loads(made.lines()[0][9:])["study"] == digest_of(data)


def test_a_study_begins_with_all_its_records(server, database):
    """Records that a study is made with are there with record 0, which says how many they are."""
    records = [{"n": 1, "op": "ask"}, {"n": 2, "op": "tell"}]
    backend = opened(server, database)
    made = backend.create({}, 1, lambda settings: records)
    found = read(journal_of(backend, made.uuid))[1]
    assert (found[0]["begun"], found[1:]) == (2, records)


def test_a_study_is_made_once(server, database, monkeypatch):
    """Of many that make it at once, tables included, one does, and the others get what it made."""
    begun, made = [], []
    monkeypatch.setattr(Turn, "of", Turn)  # as in processes
    ready = threading.Barrier(4)

    def make(size):
        ready.wait()
        made.append(opened(server, database).create({"size": size}, 1, lambda s: begun.append(s) or []))

    threads = [threading.Thread(target=make, args=(size,)) for size in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == begun * 4


def test_a_study_whose_beginning_fails_is_not_made(server, database):
    """An error in what it should begin with leaves no study, and the next one makes it."""

    def fail(settings):
        raise KeyError

    with pytest.raises(KeyError):
        opened(server, database).create({}, 1, fail)
    assert opened(server, database).read() is None
    made = opened(server, database).create({}, 1, None)
    assert opened(server, database).read() == made


def test_settings_that_were_edited_are_refused(server):
    """Settings are compared with the digest in record 0."""
    made = Made(server)
    change = "replace(convert_from(settings, 'UTF8'), '3', '4')"
    made.execute(f"UPDATE hoptim_study SET settings = convert_to({change}, 'UTF8') WHERE id = {{id}}")
    with pytest.raises(StudyDamaged, match="not the file that the journal was begun with"):
        made.backend().read()
    made.execute("UPDATE hoptim_study SET settings = 'x' WHERE id = {id}")
    with pytest.raises(StudyDamaged, match="cannot be read"):
        made.backend().read()


def test_tables_of_a_later_version_are_refused(server, database):
    """Neither a study that is there nor a new one is touched in tables that this version does not know."""
    opened(server, database).create({}, 1, None)
    server.ask("UPDATE hoptim_schema SET version = 2", database=database)
    with pytest.raises(NewerFormat, match="version 2"):
        opened(server, database).read()
    with pytest.raises(NewerFormat, match="version 2"):
        opened(server, database, "y").create({}, 1, None)


def test_who_may_not_make_tables_is_told_what_to_run(server, database):
    """What the message says to run makes all that the user needs."""
    server.ask(
        f"CREATE ROLE {database} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=database
    )
    backend = opened(server, database, user=database)
    with pytest.raises(StoreError, match="may not make the tables") as caught:
        backend.create({}, 1, None)
    statements = str(caught.value).partition("\n\n")[2]
    server.ask(statements.replace("TO USER", f"TO {database}"), database=database)
    made = backend.create({}, 1, None)
    journal, signs = journal_of(backend, made.uuid), backend.signs("workers")
    signs.show(["a"], b"")
    with journal.hold(None):
        read(journal)
        journal.append([{"op": "x"}])
        assert signs.beat(["a"]) == 1
        signs.hide(["a"])
    assert (signs.names(), journal.count) == ([], 2)


def test_a_study_whose_tables_are_gone_is_damaged(server, database):
    """A worker does not take dropped tables for a server that is away."""
    backend = opened(server, database)
    journal = journal_of(backend, backend.create({}, 1, None).uuid)
    read(journal)
    server.ask("DROP TABLE hoptim_record, hoptim_sign, hoptim_study", database=database)
    with pytest.raises(StudyDamaged, match="is gone"):
        read(journal)
