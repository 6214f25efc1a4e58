"""A journal that is put back to an earlier moment under its workers: they say so and stop."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hoptim
from tests.builders import ROOT, records, saving, study


@pytest.fixture
def worlds(tmp_path):
    """A worker with a trial, and another one to whom the same number and token were given once more."""
    a = study(tmp_path / "s")
    a.ask().tell(1.0, save=saving("0"))
    journal = tmp_path / "s" / "journal.jsonl"
    earlier = journal.read_bytes()
    mine = a.ask()
    journal.write_bytes(earlier)
    b = hoptim.load(tmp_path / "s")
    others = b.ask()
    assert (mine.number, mine.token) == (others.number, others.token)
    return a, mine, b, others


def test_nothing_is_recorded_under_another_trials_hyperparameters(worlds):
    """A tell with a number and token that were given again is refused; the other one's is not."""
    _, mine, b, others = worlds
    tells = [lambda: mine.tell(5.0), lambda: mine.tell(5.0, save=saving("a"))]
    for attempt in (*tells, lambda: mine.fail("it broke")):
        with pytest.raises(hoptim.StudyDamaged, match="put back to an earlier moment"):
            attempt()
    others.tell(2.0, save=saving("b"))
    assert [trial.value for trial in b.trials] == [1.0, 2.0]
    assert b.check().ok


def test_it_is_said_each_time(worlds):
    """Whatever the worker does next it is told again, also once others went on."""
    a, _, _, others = worlds
    others.tell(2.0, save=saving("b"))
    for _ in range(2):
        for look in (a.ask, a.status, lambda: a.trials):
            with pytest.raises(hoptim.StudyDamaged, match="Stop all workers"):
                look()


def test_who_wrote_nothing_just_reads_again(tmp_path):
    """A reader of a restored copy shows what is there now."""
    made = study(tmp_path / "s")
    journal = tmp_path / "s" / "journal.jsonl"
    earlier = journal.read_bytes()
    reader = hoptim.load(tmp_path / "s")
    made.ask().tell(1.0)
    assert len(reader.trials) == 1
    journal.write_bytes(earlier)
    assert reader.trials == []


def test_what_others_wrote_may_go(tmp_path):
    """A worker whose own records are all there goes on: nothing that it acknowledged was lost."""
    a = study(tmp_path / "s")
    a.ask().tell(1.0)
    journal = tmp_path / "s" / "journal.jsonl"
    earlier = journal.read_bytes()
    hoptim.load(tmp_path / "s").ask().tell(2.0)
    assert len(a.trials) == 2
    journal.write_bytes(earlier)
    a.ask().tell(3.0)
    assert [trial.value for trial in a.trials] == [1.0, 3.0]


SCRIPT = """
import sys
import hoptim
from tests.builders import study
made = study(sys.argv[1])
before = open(sys.argv[1] + "/journal.jsonl", "rb").read()
for trial in made:
    open(sys.argv[1] + "/journal.jsonl", "wb").write(before)
    trial.tell(1.0)
"""


def test_a_script_ends_with_the_cause_alone(tmp_path):
    """The loop is left by the error, and the exit adds no second one and appends nothing."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "s"], cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.count("Traceback") == 1
    assert "put back to an earlier moment" in ran.stderr.splitlines()[-1]
    assert [record["op"] for record in records(tmp_path / "s")] == ["create"]
