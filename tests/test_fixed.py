"""Fixed schedules: every member trains the same, exactly as given, and only seeds differ."""

import json
import math

import numpy as np
import pytest

import hoptim
from hoptim import ArgumentError, Fixed, OptimizerError, StudyMismatch
from hoptim.analysis.schedule import Interval
from tests.builders import recompute, records, saving, study, train

SPACE = {"lr": hoptim.Float(1e-5, 1.0, log=True), "act": hoptim.Choice({"relu": max, "tanh": min})}
STEPS = [{"lr": 0.1, "act": "relu"}, {"lr": 0.003, "act": "tanh"}, {"lr": 0.0007, "act": "tanh"}]


def fixed(path=None, schedule=STEPS, **changes) -> hoptim.Study:
    """A study of three members that train a schedule."""
    return study(path, **{"space": SPACE, "size": 3, "steps": 4, "optimizer": Fixed(schedule), **changes})


def told(made: hoptim.Study) -> hoptim.Study:
    """The study, trained to its end."""
    for trial in made:
        trial.tell(trial.params["lr"])
    return made


def test_each_member_trains_the_schedule_by_age_and_its_end_holds():
    """Age by age all members have the given values, to the last bit; beyond the end the last ones."""
    made = told(fixed())
    for member in range(3):
        own = [t.params for t in made.trials if t.member == member]
        assert own == [{**p, "act": SPACE["act"].named(p["act"])} for p in [*STEPS, STEPS[-1]]]


def test_values_may_be_numpys():
    """Scalars of numpy's are recorded as plain numbers and trained exactly."""
    space = {"lr": hoptim.Float(0.0, 1.0), "k": hoptim.Int(1, 9)}
    rates, counts = np.geomspace(0.5, 0.125, 3, dtype=np.float32), np.arange(3, 6)
    schedule = [{"lr": lr, "k": k} for lr, k in zip(rates, counts, strict=True)]
    made = told(fixed(schedule=schedule, space=space, size=1, steps=3))
    assert [t.params for t in made.trials] == [
        {"lr": 0.5, "k": 3},
        {"lr": 0.25, "k": 4},
        {"lr": 0.125, "k": 5},
    ]


def test_seeds_differ():
    """What differs between members is the seed alone."""
    made = told(fixed())
    assert len({trial.seed for trial in made.trials}) == 12


def test_given_values_are_exact_wherever_they_are_shown(tmp_path):
    """Coordinates would miss the last bit; journal, status and a fork have the value that was given."""
    exact = [{"lr": value, "act": "relu"} for value in (0.1, 0.3, 0.007)]
    encoded = [hoptim.Space(SPACE).decode(hoptim.Space(SPACE).encode(params))["lr"] for params in exact]
    assert encoded != [params["lr"] for params in exact]
    made = told(fixed(tmp_path / "s", exact, steps=3))
    asked = [r["params"] for r in records(tmp_path / "s") if r["op"] == "ask"]
    assert {json.dumps(p) for p in asked} == {json.dumps(p) for p in exact}
    brief = made.status().to_json(made.space)["best"]
    assert brief["params"] == exact[-1]
    new = hoptim.fork(tmp_path / "s", tmp_path / "f", steps=3)
    assert [trial.params["lr"] for trial in new.trials] == [0.007] * 3


def test_one_mapping_is_plain_training():
    """A single mapping is trained from the start to the end."""
    made = told(fixed(schedule=STEPS[1]))
    assert {trial.params["lr"] for trial in made.trials} == {0.003}


def test_a_schedule_that_was_found_is_trained_again():
    """A winner's schedule is a schedule, objects behind names included."""
    found = study(None, space=SPACE, steps=6)
    for trial in found:
        trial.tell(abs(trial.params["lr"] - 0.01) + (trial.params["act"] is max))
    schedule = found.schedule()
    again = told(fixed(schedule=schedule, steps=6, size=2))
    for member in range(2):
        own = [trial.params for trial in again.trials if trial.member == member]
        assert own == [interval.params for interval in schedule]


def test_init_and_start_do_not_count():
    """The schedule decides from the first trial on."""
    made = told(fixed(start=[{"lr": 0.5}]))
    assert {trial.params["lr"] for trial in made.trials if trial.step == 0} == {0.1}


def test_a_failed_member_starts_over_with_another_seed():
    """Fresh weights, the schedule from its beginning, a seed that it did not have."""
    made = fixed(steps=5)
    for trial in made:
        trial.tell(math.nan if (trial.member, trial.step) == (1, 1) else 1.0)
    own = [trial for trial in made.trials if trial.member == 1]
    assert [trial.age for trial in own] == [0, 1, 0, 1, 2]
    assert [trial.params["lr"] for trial in own] == [0.1, 0.003, 0.1, 0.003, 0.0007]
    assert own[2].parent is None
    assert own[2].seed != own[0].seed


def test_it_is_found_again_by_its_path(tmp_path):
    """The schedule is in study.json; another one is refused, and proposals follow from the journal."""
    made = fixed(tmp_path / "s")
    for trial in made:
        trial.tell(1.0)
        break
    told(hoptim.load(tmp_path / "s"))
    assert recompute(tmp_path / "s") == 12
    with pytest.raises(StudyMismatch, match="schedule"):
        fixed(tmp_path / "s", STEPS[:2])


def test_a_fork_goes_on_at_the_age_of_its_weights(tmp_path):
    """A schedule goes by age, so the second half of one may follow anything."""
    old = train(
        study(tmp_path / "old", space=SPACE | study().space.dimensions, size=2, steps=2), saves=True
    )
    schedule = [{"x": 0.5, "k": 1, **params} for params in STEPS]
    new = hoptim.fork(old.path, tmp_path / "new", optimizer=Fixed(schedule), steps=3)
    for trial in new:
        trial.tell(1.0, save=saving("w"))
    assert [trial.params["lr"] for trial in new.trials if trial.step > 0] == [0.0007] * 4


WRONG = {
    "unknown name": ([{**STEPS[0], "momentum": 0.9}], r"age 0 do not fit: \['momentum'\] are no hyper"),
    "missing name": ([STEPS[0], {"lr": 0.1}], r"age 1 do not fit: Hyperparameters lack \['act'\]"),
    "outside": ([STEPS[0], {**STEPS[0], "lr": 3.0}], "age 1 do not fit: Hyperparameter 'lr': .*found 3"),
    "no such choice": ([{**STEPS[0], "act": "gelu"}], "age 0 do not fit: Hyperparameter 'act': .*'gelu'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_schedule_that_does_not_fit_the_space_makes_no_study(tmp_path, name):
    """The message says at which age and why, and nothing was written."""
    schedule, message = WRONG[name]
    with pytest.raises(OptimizerError, match=rf"Fixed: the hyperparameters at {message}"):
        fixed(tmp_path / "s", schedule)
    assert not (tmp_path / "s").exists()


def test_what_belongs_to_the_weights_cannot_change():
    """A schedule that changes an inherited hyperparameter is refused with the age."""
    space = {"width": hoptim.Int(1, 9, inherit=True)}
    with pytest.raises(OptimizerError, match="at age 2 they differ from those before"):
        fixed(space=space, schedule=[{"width": 3}, {"width": 3}, {"width": 4}])


@pytest.mark.parametrize("schedule", [[], {}, "lr", 3, None, [1], [{"lr": object()}], [{"lr": math.nan}]])
def test_what_is_no_schedule_is_refused(schedule):
    """The message says what is expected."""
    with pytest.raises(ArgumentError, match=r"Fixed: (schedule must be|the values of a schedule must be)"):
        Fixed(schedule)


def test_the_second_half_of_a_schedule_is_refused():
    """What a fork with another space was trained with begins in the middle, and says where the rest is."""
    interval = Interval(3, {"lr": 0.1, "act": max}, 0, 1.0, 0, 0, 0)
    with pytest.raises(ArgumentError, match=r"begins at age 3; study\.origin\.schedule"):
        Fixed(hoptim.Schedule([interval], hoptim.Space(SPACE)))


def test_a_long_schedule_is_short_in_messages():
    """The optimizer's name in messages says how long the schedule is, not all of it."""
    assert repr(Fixed(STEPS * 100)) == "Fixed(<300 intervals>)"
