"""The contracts of journals and signs of life, kept in PostgreSQL."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from hoptim.store.postgres import traffic
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.backend import PostgresBackend
from hoptim.store.postgres.journal import PostgresJournal
from hoptim.testing import JournalConformance, SignsConformance
from tests.postgres_studies import Made

pytestmark = pytest.mark.postgres


class TestPostgresJournal(JournalConformance):
    """The journal of a study in PostgreSQL."""

    in_processes = True

    @pytest.fixture(autouse=True)
    def study(self, server):
        """A study with record 0, by what can be sent to other processes."""
        made = Made(server)
        self.url, self.uuid = server.url(made.name), made.uuid

    def make(self):
        return PostgresJournal(Address.of(self.url), self.uuid)

    def cut_off(self, journal):
        import psycopg

        ((pid,),) = journal._database.run("SELECT pg_backend_pid()")[0]
        with psycopg.connect(Address.of(self.url).server, autocommit=True) as session:
            session.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])


class TestCrowdedJournal(TestPostgresJournal):
    """The same where each hold reads ahead, and again at the head of the line."""

    @pytest.fixture(autouse=True)
    def crowd(self, monkeypatch):
        """The usual again behind the test."""
        monkeypatch.setattr(traffic, "FEW", traffic.FEW)

    def make(self):
        traffic.FEW = -1  # also in another process: even no traffic counts as much
        return super().make()


class TestPostgresSigns(SignsConformance):
    """Signs of life of a study in PostgreSQL."""

    @pytest.fixture(autouse=True)
    def study(self, server):
        """A study without signs."""
        self.url = server.url(Made(server).name)

    def make(self):
        return PostgresBackend(Address.of(self.url)).signs("workers")
