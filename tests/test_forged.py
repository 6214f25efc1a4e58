"""Forged studies: whatever valid lines say, an error of ours or a sound result comes of it."""

from __future__ import annotations

import random
import shutil

import pytest

import hoptim
from hoptim.store.check.inspection import check
from tests import forged
from tests.builders import study
from tests.forged import Study, forge, mutated, raw_error, sources, use
from tests.hostile import within

SHARES = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Real studies of both formats."""
    return sources(tmp_path_factory.mktemp("sources"))


@pytest.mark.parametrize("share", range(SHARES))
def test_no_raw_error_comes_of_a_forged_study(tmp_path, made, share):
    """Mutated records behind valid checksums, read, trained, checked and forked: our errors alone."""
    folder, raw = tmp_path / "study", {}
    for seed in range(share, 80, SHARES):
        forge(folder, mutated(made[seed // SHARES % len(made)], random.Random(seed)))
        if (error := raw_error(folder)) is not None:
            raw[seed] = repr(error)
        for each in tmp_path.iterdir():
            shutil.rmtree(each)
    assert raw == {}


def test_the_studies_that_are_mutated_are_whole(tmp_path, made):
    """Without a mutation, all that is done with a forged study works."""
    for number, each in enumerate(made):
        folder = tmp_path / str(number) / "study"
        forge(folder, each)
        assert check(folder).ok
        hoptim.load(folder).results()
        use(folder)


def told(made: Study, metrics: object) -> Study:
    """A study whose tells say other metrics."""
    for record in made.records:
        if record["op"] == "tell":
            record["metrics"] = metrics
    return made


def test_metrics_of_any_json_are_shown_and_brought_over(tmp_path, made):
    """What a metric of format 2 may be, a later version's worker wrote: it is exported and forked."""
    metrics = {"confusion": [[1, 2], [3, 4]], "note": "x", "loss": "inf", "none": None, "flag": True}
    folder = tmp_path / "study"
    forge(folder, told(Study.of(made[0].files), metrics))
    shown = {**metrics, "loss": float("inf")}
    assert hoptim.load(folder).trials[0].metrics == shown
    assert raw_error(folder) is None
    fork = hoptim.load(folder.with_name("fork"))
    assert shown in [trial.metrics for trial in fork.trials]


@pytest.mark.parametrize("uuid", ["\ud800", "x" * 32, "0" * 5000])
def test_an_identifier_that_is_none_is_refused(tmp_path, made, uuid):
    """Half a character or other text in place of the identifier is damage by name, for `check` too."""
    forge(tmp_path / "study", made[0]._replace(settings={**made[0].settings, "uuid": uuid}))
    with pytest.raises(hoptim.StudyDamaged, match="uuid"):
        hoptim.load(tmp_path / "study")
    assert not check(tmp_path / "study").ok


def test_a_trial_that_ended_when_time_began_is_shown(tmp_path, made):
    """A clock that stands at 1970 is a time like others, also in the report."""
    records = [{**record, "time": 0} for record in made[0].records]
    forge(tmp_path / "study", made[0]._replace(records=records))
    assert {trial.ended for trial in hoptim.load(tmp_path / "study").trials} == {0.0}
    assert raw_error(tmp_path / "study") is None


@pytest.mark.parametrize("time", ["nan", "5", 1e308, -1.0, 10**400, None], ids=lambda time: str(time)[:9])
def test_a_time_of_no_calendar_is_refused(tmp_path, made, time):
    """What no clock says is damage in a record, and no number for the report to stumble on."""
    records = [*made[0].records, {"op": "extend", "id": "0", "steps": 9, "time": time}]
    forge(tmp_path / "study", made[0]._replace(records=records))
    with pytest.raises(hoptim.StudyDamaged, match="time"):
        hoptim.load(tmp_path / "study").results()


@pytest.mark.parametrize("size", [10**400, 2**31, 1_000_001], ids=["10**400", "2**31", "1000001"])
def test_more_members_than_can_be_are_refused(tmp_path, made, size):
    """A size that no memory holds is damage for `check` as for whoever opens the study."""
    settings = made[0].settings
    forged_settings = {**settings, "identity": {**settings["identity"], "size": size}}
    forge(tmp_path / "study", made[0]._replace(settings=forged_settings))
    with within(20):
        assert "study-field" in {finding.kind for finding in check(tmp_path / "study").findings}
        with pytest.raises(hoptim.StudyDamaged, match="size"):
            hoptim.load(tmp_path / "study")


def test_a_seed_may_be_a_hash(tmp_path):
    """A seed of more bits than a counter has is no damage."""
    study(tmp_path / "study", seed=2**256 - 1).ask().tell(1.0)
    assert check(tmp_path / "study").ok


@pytest.mark.parametrize("x", [1e308, -1.0, 2**31])
def test_coordinates_of_no_space_are_refused(tmp_path, made, x):
    """A coordinate beyond every dimension's is damage, not a number that the spread overflows with."""
    each = Study.of(made[0].files)
    next(record for record in each.records if record["op"] == "ask")["x"][0] = x
    forge(tmp_path / "study", each)
    with pytest.raises(hoptim.StudyDamaged, match="x is"):
        hoptim.load(tmp_path / "study").status()


@pytest.mark.parametrize("steps", [10**400, 2**63], ids=["10**400", "2**63"])
def test_more_steps_than_can_be_counted_are_refused(tmp_path, made, steps):
    """Steps beyond what arrays hold are damage, in study.json and in a record."""
    forge(tmp_path / "a", made[0]._replace(settings={**made[0].settings, "steps": steps}))
    records = [*made[0].records, {"op": "extend", "id": "0", "steps": steps}]
    forge(tmp_path / "b", made[0]._replace(records=records))
    for folder in (tmp_path / "a", tmp_path / "b"):
        with pytest.raises(hoptim.StudyDamaged, match="steps"):
            hoptim.load(folder).status()
        assert not check(folder).ok


def test_the_forger_runs_as_a_script(monkeypatch, capsys):
    """A long run prints how many raw errors came of how many studies."""
    monkeypatch.setattr("sys.argv", ["forged", "2"])
    forged.main()
    assert "0 raw errors of 2 forged studies" in capsys.readouterr().out
