"""The dashboard of studies in a database: named, told apart, and honest about a server that is away."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")
pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("uvicorn", reason="needs pip install -e '.[dashboard]'")

from hoptim.__main__ import main
from hoptim.dashboard import renewed, studies
from hoptim.store.postgres import database
from tests import postgres_cluster
from tests.builders import study, train

pytestmark = pytest.mark.postgres


@pytest.fixture
def clock(monkeypatch):
    """The seconds by which values are kept."""
    now = [1000.0]
    monkeypatch.setattr(renewed, "monotonic", lambda: now[0])
    return now


def databases(server, count):
    """URLs of new databases with a study in each, which all have one name."""
    found = []
    for _ in range(count):
        name = f"d{os.urandom(4).hex()}"
        server.ask(f"CREATE DATABASE {name}")
        found.append(server.url("", database=name).partition("?")[0])
        train(study(f"{found[-1]}?study=same", size=2, steps=2))
    return found


def test_studies_of_one_name_in_two_databases_are_two(server):
    """The second one has its URL for a name; each leads to its own, and the page to what it shows."""
    one, two = sorted(databases(server, 2))
    both = studies.Studies([two, one])
    named = {row["name"]: row["finished"] for row in both.list()["rows"]}
    assert named == {"same": 4, f"{two}?study=same": 4}
    assert [both.named(name).path for name in named] == [f"{one}?study=same", f"{two}?study=same"]
    assert both.name == "2 places"
    assert studies.Studies([one]).name == one.rpartition("/")[2]


def test_a_server_that_is_away_is_said_at_once(clock, monkeypatch):
    """No page waits for it: the list says why, keeps its studies, and shows them once it is back."""
    if why := postgres_cluster.why_missing():
        pytest.skip(why)
    with postgres_cluster.cluster() as server:
        (url,) = databases(server, 1)
        shown = studies.Studies([url])
        assert shown.list()["rows"][0]["finished"] == 4
        server.stop()
        clock[0] += 100.0
        monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=time.monotonic))  # no sleep
        away = shown.list()
        assert "onnection refused" in away["rows"][0]["error"]
        (wrong,) = away["wrong"]
        assert f"Could not list the studies of '{url}'" in wrong
        assert "refused. Nothing" in wrong
        server.start()
        clock[0] += 100.0
        back = shown.list()
        assert (back["rows"][0]["finished"], back["wrong"]) == (4, [])


def test_a_password_is_refused_before_anything_is_served(capsys):
    """It is not repeated, and no page is there that would fail."""
    assert main(["dashboard", "postgresql://alice:hunter2@127.0.0.1:9/db"]) == 2
    said = "".join(capsys.readouterr())
    assert ("PGPASSWORD" in said, "hunter2" in said) == (True, False)
