"""Schedules: the winner's hyperparameters by age, and their way through files."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hoptim
from hoptim import Choice, Float, Int, Ordinal, Schedule
from hoptim.analysis.schedule import Interval
from tests.builders import loss, study, train

WORDS = st.sampled_from(
    ["relu", "NaN", "1", "1.5", "true", "null", "", " ", 'a"b', "a,b", "a\nb", '"q"', "é", "[1", "\ud800"]
)
KINDS = hoptim.Space(
    {
        "lr": Float(1e-9, 1e9, log=True),
        "k": Int(-5, 5),
        "word": Choice(
            [
                "relu",
                "NaN",
                "1",
                "1.5",
                "true",
                "null",
                "",
                " ",
                'a"b',
                "a,b",
                "a\nb",
                '"q"',
                "é",
                "[1",
                "\ud800",
            ]
        ),
        "width": Ordinal([1, 2.5, "x", None]),
        "age": Float(0.0, 1.0),  # a name that a column of its own has, too
    }
)


@pytest.fixture(scope="module")
def made():
    """A finished study whose winner has exploited."""
    return train(study(None, size=6, steps=12, optimizer=hoptim.TruncationSelection()))


def test_a_schedule_is_what_the_winners_weights_saw(made):
    """By age: params, seed, value and origin of each trial of the best one's line."""
    line, schedule = made.lineage().line, made.schedule()
    assert [it.params for it in schedule] == [t.params for t in line]
    assert [(it.seed, it.value, it.trial, it.member, it.step) for it in schedule] == [
        (t.seed, t.value, t.number, t.member, t.step) for t in line
    ]
    assert len({it.member for it in schedule}) > 1
    assert schedule == made.schedule(made.best) == made.schedule(made.best.number)
    assert made.schedule(0) != schedule


def test_a_schedule_is_called_with_an_age(made):
    """A call gives the hyperparameters of an age, after the end the last ones, and never the inside."""
    schedule = made.schedule()
    assert [schedule(age) for age in range(12)] == [it.params for it in schedule]
    assert schedule(500) == schedule[-1].params
    schedule(3)["x"] = -1
    assert schedule(3) == schedule[3].params
    assert schedule.series("x") == [it.params["x"] for it in schedule[:]]
    with pytest.raises(hoptim.ArgumentError, match="at least 0, found -1"):
        schedule(-1)
    with pytest.raises(hoptim.SpaceError, match="y"):
        schedule.series("y")


def test_a_failed_trial_has_no_schedule():
    """There is nothing to train again where training failed."""
    made = study(None, size=2, steps=2)
    for trial in made:
        trial.tell(math.nan if trial.number == 1 else 1.0)
    with pytest.raises(hoptim.ArgumentError, match="Trial 1 failed"):
        made.schedule(1)


@st.composite
def schedules(draw):
    """Any schedule of a space with all kinds of dimensions."""
    number = st.integers(0, 2**31 - 1)
    params = st.fixed_dictionaries(
        {
            "lr": st.floats(1e-9, 1e9),
            "k": st.integers(-5, 5),
            "word": WORDS,
            "width": st.sampled_from([1, 2.5, "x", None]),
            "age": st.floats(0, 1),
        }
    )
    value = st.floats(allow_nan=False, allow_infinity=False)
    return Schedule(
        [
            Interval(
                age,
                {n: v[n] for n in KINDS.dimensions},
                *(draw(s) for s in (number, value, number, number, number)),
            )
            for age, v in enumerate(draw(st.lists(params, min_size=1, max_size=5)))
        ],
        KINDS,
    )


@given(schedules())
def test_files_give_back_the_very_schedule(tmp_path_factory, schedule):
    """Through JSON and CSV every float, seed and name comes back as it was, type and all."""
    folder = tmp_path_factory.mktemp("s")
    for name in ("a.json", "a.csv"):
        schedule.save(folder / name)
        again = Schedule.load(folder / name, KINDS)
        assert list(again) == list(schedule)
        assert repr(list(again)) == repr(list(schedule))
    assert Schedule.load(folder / "a.json") == schedule


def test_objects_come_back_by_their_names(tmp_path):
    """A mapped choice is written by name, and its objects are there again where the space is given."""
    space = {"f": Choice({"up": math.ceil, "down": math.floor})}
    made = hoptim.Study(None, space=space, size=2, steps=3, mode="min")
    for trial in made:
        trial.tell(trial.params["f"](0.5))
    schedule = made.schedule()
    for name in ("s.json", "s.csv"):
        schedule.save(tmp_path / name)
        assert Schedule.load(tmp_path / name, space)(2)["f"] is schedule(2)["f"]
    assert Schedule.load(tmp_path / "s.json")(2)["f"] in ("up", "down")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.update(format=2), "format 2"),
        (lambda d: d.pop("intervals"), "intervals"),
        (lambda d: d["intervals"][0].pop("seed"), "seed"),
        (lambda d: d["intervals"][0].update(more=1), "more"),
        (lambda d: d["intervals"].pop(1), "ages of a schedule must count up"),
        (lambda d: d["intervals"].clear(), "ages of a schedule must count up"),
        (
            lambda d: [i.update(age=i["age"] - 1) for i in d["intervals"]],
            "ages of a schedule must count up",
        ),
        (lambda d: d["intervals"][0]["params"].update(x=2.0), "within the bounds, found 2.0"),
        (lambda d: d["intervals"][0]["params"].pop("x"), "x"),
        (lambda d: d["space"]["x"].update(type="Odd"), "no known type"),
    ],
)
def test_what_is_no_schedule_is_refused(made, tmp_path, change, match):
    """A file that was edited into something else is refused with the reason."""
    data = made.schedule().to_json()
    change(data)
    (tmp_path / "s.json").write_text(json.dumps(data))
    with pytest.raises(hoptim.ArgumentError, match=match):
        Schedule.load(tmp_path / "s.json")


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_other_json_is_refused(tmp_path, text):
    """Whatever else a .json file may hold is no schedule."""
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(hoptim.ArgumentError):
        Schedule.load(tmp_path / "s.json")


def test_tables_are_read_with_the_space_alone(made, tmp_path):
    """A table needs its study's space, and is refused with another one or with a broken line."""
    made.schedule().save(tmp_path / "s.csv")
    with pytest.raises(hoptim.ArgumentError, match="does not hold the space"):
        Schedule.load(tmp_path / "s.csv")
    with pytest.raises(hoptim.ArgumentError, match="its columns are"):
        Schedule.load(tmp_path / "s.csv", {"y": Float(0.0, 1.0)})
    with pytest.raises(hoptim.ArgumentError, match="within the bounds"):
        Schedule.load(tmp_path / "s.csv", {"x": Float(0.0, 1e-9), "k": Int(1, 9)})
    text = made.schedule().to_csv()
    (tmp_path / "s.csv").write_text(text.rpartition(",")[0])
    with pytest.raises(hoptim.ArgumentError):
        Schedule.load(tmp_path / "s.csv", made.space)


def test_another_space_is_refused(made, tmp_path):
    """Objects are given for the very space of the schedule."""
    made.schedule().save(tmp_path / "s.json")
    with pytest.raises(hoptim.ArgumentError, match="its space is"):
        Schedule.load(tmp_path / "s.json", {"y": Float(0.0, 1.0)})


def test_files_that_cannot_be_used_are_named(made, tmp_path):
    """A folder that is not there, a file that is not there: the path is in the message."""
    with pytest.raises(hoptim.StoreError, match="nowhere"):
        made.schedule().save(tmp_path / "nowhere" / "s.json")
    with pytest.raises(hoptim.StoreError, match="nothing"):
        Schedule.load(tmp_path / "nothing.json")


def test_training_again_gives_the_same_values(made):
    """With its params and seeds alone the winner's values come out again."""
    for interval in made.schedule():
        trial = type("Trial", (), {"params": interval.params, "seed": interval.seed})
        assert loss(trial) == interval.value
