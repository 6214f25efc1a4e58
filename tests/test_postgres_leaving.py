"""Leaving a study whose server is away: given up soon, so that no process hangs at its exit."""

from __future__ import annotations

import pytest

import hoptim
from hoptim.store import membership
from hoptim.store.locking import patience
from tests import postgres_cluster
from tests.builders import study

pytest.importorskip("psycopg")

from hoptim.store.postgres import database

pytestmark = pytest.mark.postgres


class Clock:
    """A clock that only sleep moves."""

    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clock of all that waits for a server."""
    clock = Clock()
    for module in (database, patience):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def own(monkeypatch):
    """A server that stops when it is sent a statement with some text in it; none does so at first."""
    if why := postgres_cluster.why_missing():
        pytest.skip(why)
    run = database.Database.run
    with postgres_cluster.cluster() as server:
        server.stops_at = None

        def cut(connection, statements, *parameters):
            if server.stops_at is not None and server.stops_at in statements:
                server.stop()
            return run(connection, statements, *parameters)

        monkeypatch.setattr(database.Database, "run", cut)
        yield server


@pytest.mark.parametrize("at", ["SELECT n, line", "BEGIN", "SELECT name FROM hoptim_sign", "; COMMIT"])
def test_who_leaves_waits_for_no_server(own, clock, at):
    """Wherever the server goes, some seconds later it is given up; the lease does the rest."""
    made = study(own.url("left"), size=2, steps=2)
    trial = made.ask()
    store = made._session.store
    store.journal.forget()  # as a call that failed does
    own.stops_at = at
    with pytest.raises(hoptim.StoreError):
        store.leave()
    assert (trial.number, clock.now) == (0, pytest.approx(membership.LEAVE_WITHIN, abs=0.1))
    own.stops_at = None
    own.start()
    store.leave()


def test_a_trial_that_cannot_be_handed_back_holds_nobody_up(own, clock):
    """Its process goes on soon, and has the same trial next if the server is back by then."""
    made = study(own.url("kept"), size=1, steps=2)
    trials = iter(made)
    trial = next(trials)
    own.stop()
    trials.close()
    assert clock.now == pytest.approx(membership.LEAVE_WITHIN, abs=0.1)
    own.start()
    assert made.ask().number == trial.number
