"""Forks to another objective: what the old values become, and that nothing compares the two."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import fork
from hoptim.session.propose import Proposer
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from tests import reader
from tests.builders import advance, loss, records, saving, study
from tests.golden.make import FORMATS
from tests.test_advance import OPTIMIZERS


def old_study(path, **changes):
    """A finished study whose losses are below any accuracy, which is among its metrics."""
    made = study(path, **changes)
    for trial in made:
        metrics = {"accuracy": 10 + trial.params["x"]}
        trial.tell(loss(trial) - 10, saving(str(trial.number)), metrics=metrics)
    return made


def accuracy(trial):
    """The other objective, of a finished trial."""
    return trial.metrics["accuracy"]


def go_on(new):
    """Train a fork to its end for accuracy."""
    for trial in new:
        trial.tell(10 + trial.params["x"], saving(str(trial.number)))
    return new


def told(made):
    """Numbers and values of trials as the journal has them."""
    return [(t.number, t.value if t.valued else None) for t in made.trials]


@pytest.fixture
def old(tmp_path):
    """A finished study of mode min."""
    return old_study(tmp_path / "old")


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_without_values_members_go_on_to_their_first(tmp_path, optimizer):
    """Each continues its own weights and hyperparameters; only values of the new objective are compared."""
    old_study(tmp_path / "old", optimizer=optimizer, size=6, steps=3)
    new = fork(tmp_path / "old", tmp_path / "new", mode="max", values="drop", steps=5)
    assert [(t.valued, t.failed, t.checkpoint is None) for t in new.trials] == [(False, None, False)] * 6
    assert (new.mode, new.status().best, new.status().failed, new.top()) == ("max", None, 0, [])
    with pytest.raises(hoptim.NoResult):
        _ = new.best_ever
    go_on(new)
    for trial in new.trials[6:12]:
        own = new.trials[trial.parent]
        assert (own.member, own.step, trial.step, trial.age) == (trial.member, 0, 1, own.age + 1)
        assert own.params == trial.params or isinstance(optimizer, hoptim.Fixed)
    assert new.best_ever.value == max(t.value for t in new.trials if t.valued) >= 10
    assert all(value >= 10 for candidate in new.top(last=9) for value in candidate.values)
    assert reader.judge(tmp_path / "new" / "journal.jsonl", told(new))[0] == []
    assert new.check().findings == ()


def test_values_may_be_given_anew(old, tmp_path):
    """A function values each trial of the generation, with its checkpoint, while nobody holds the lock."""
    seen = {}

    def values(trial):
        with hoptim.load(old.path)._session.store.journal.hold(0.0):
            seen[trial.number] = Path(trial.checkpoint).read_text()
        return accuracy(trial)

    new = fork(old.path, tmp_path / "new", mode="max", values=values, steps=3, size=6)
    assert seen == {t.number: str(t.number) for t in old.trials if t.step == 4}
    for trial in new.trials:
        was = old.trials[trial.origin]
        assert (trial.value, trial.metrics) == (accuracy(was), was.metrics)
        assert (trial.params, trial.age, trial.seed) == (was.params, was.age, was.seed)
        assert os.path.samefile(trial.checkpoint, was.checkpoint)
    assert new.best_ever.value == max(accuracy(t) for t in old.trials if t.step == 4)
    assert go_on(new).done
    assert reader.judge(tmp_path / "new" / "journal.jsonl", told(new))[0] == []
    assert os.listdir(Path(old.path) / "pins") == []


def test_what_a_function_reads_is_not_dropped_meanwhile(tmp_path):
    """While it measures, others train on and drop checkpoints, but none of the generation's."""
    made = study(tmp_path / "old", size=3, steps=9)
    advance(made)

    def values(trial):
        advance(made)
        return float(Path(trial.checkpoint).read_text())

    new = fork(made.path, tmp_path / "new", values=values, size=2, steps=2)
    assert [(t.origin, t.value, Path(t.checkpoint).read_text()) for t in new.trials] == [
        (0, 0.0, "0"), (1, 1.0, "1")
    ]  # fmt: skip
    advance(made)
    dropped = {number for record in records(made.path) for number in record.get("drops", ())}
    assert {0, 1, 2} - {made.best_ever.number} <= dropped
    assert len(new.origin.trials) == 3


@pytest.mark.parametrize("values", ["drop", lambda trial: float(trial.number)], ids=["dropped", "given"])
def test_studies_of_format_1_are_forked_to_another_objective(tmp_path, values):
    """Their journals have no word for a trial without a value; those of their forks do."""
    folder = shutil.copytree(FORMATS[1] / "stateful", tmp_path / "old")
    new = fork(folder, tmp_path / "new", values=values, steps=2)
    assert {t.valued for t in new.trials} == {values != "drop"}
    for trial in new:
        assert trial.checkpoint is not None
        trial.tell(0.5, saving("w"))
    assert new.check().findings == ()


@pytest.mark.parametrize("mode", ["min", "max"])
def test_fewer_members_are_the_best_by_their_new_values(old, tmp_path, mode):
    """With a function the new values say who is best, without values the old ones."""
    then = [t for t in old.trials if t.step == 4]
    sign = 1 if mode == "min" else -1
    by_new = sorted(then, key=lambda t: sign * accuracy(t))
    new = fork(old.path, tmp_path / "new", mode=mode, values=accuracy, size=2)
    assert {t.origin for t in new.trials} == {t.number for t in by_new[:2]}
    more = fork(old.path, tmp_path / "more", mode=mode, values=accuracy, size=5)
    assert more.trials[4].origin == by_new[0].number
    by_old = sorted(then, key=lambda t: t.value)
    dropped = fork(old.path, tmp_path / "dropped", mode=mode, values="drop", size=2)
    assert {t.origin for t in dropped.trials} == {t.number for t in by_old[:2]}


def test_failed_members_stay_failed(tmp_path):
    """They have no weights: nobody asks for their value, and they are rescued by healthy others."""
    made = study(tmp_path / "old", steps=1)
    for trial in made:
        trial.tell(math.nan if trial.member == 1 else 0.5, saving("w"))
    new = fork(made.path, tmp_path / "new", values="drop", steps=3)
    assert [t.valued for t in new.trials] == [False, True, False, False]
    assert go_on(new).done
    asked = []
    fork(made.path, tmp_path / "more", values=lambda trial: asked.append(trial.member) or 1.0)
    assert asked == [0, 2, 3]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_marks_a_failure(old, tmp_path, value):
    """As it does in a tell: the trial has no checkpoint, and nobody continues from it."""
    lost = max(t.number for t in old.trials)
    new = fork(
        old.path, tmp_path / "new", steps=2, values=lambda t: value if t.number == lost else accuracy(t)
    )
    failed = next(t for t in new.trials if t.origin == lost)
    assert (failed.finite, failed.valued, failed.checkpoint) == (False, True, None)
    assert go_on(new).done
    assert new.check().ok


def test_what_has_no_value_may_get_one(tmp_path):
    """Trials that advanced are valued by the function as all others."""
    made = study(tmp_path / "old", steps=1)
    for trial in made:
        trial.advance(saving("w"))
    new = fork(made.path, tmp_path / "new", values=lambda trial: float(trial.number), steps=2)
    assert [(t.valued, t.value) for t in new.trials] == [(True, 0.0), (True, 1.0), (True, 2.0), (True, 3.0)]


def test_a_study_without_checkpoints_changes_its_objective_too(tmp_path):
    """There is nothing to share; a function sees trials without one."""
    made = study(tmp_path / "old", steps=1)
    for trial in made:
        trial.tell(loss(trial))
    for name, values in (("a", "drop"), ("b", lambda trial: -trial.value)):
        new = fork(made.path, tmp_path / name, mode="max", values=values, steps=3)
        for trial in new:
            trial.tell(-loss(trial))
        assert (new.done, {t.checkpoint for t in new.trials}) == (True, {None})


def test_an_optimizer_begins_without_what_it_remembers(tmp_path):
    """Notes may hold values, as Patient's do: no proposal of the fork reads one of the old objective."""
    patient = hoptim.Patient(decisions=2)
    made = old_study(tmp_path / "old", optimizer=patient, steps=8)
    assert any(t.memo["patient"]["before"] for t in made.trials if t.step == 4)
    for name, values in (("drop", "drop"), ("anew", accuracy)):
        new = fork(made.path, tmp_path / name, at_step=None, mode="max", values=values, steps=2)
        assert {(t.memo["patient"]["before"], t.memo["patient"]["early"]) for t in new.trials} == {
            (None, None)
        }
    kept = fork(made.path, tmp_path / "kept", steps=2)
    assert [t.memo for t in kept.trials] == [made.trials[t.origin].memo for t in kept.trials]


@pytest.mark.parametrize("values", ["drop", accuracy], ids=["dropped", "given"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_schedule_has_values_of_one_objective(old, tmp_path, values, mode):
    """It reaches back by age, without what was told under the other objective, in forks of forks too."""
    new = go_on(fork(old.path, tmp_path / "new", mode=mode, values=values, steps=2))
    newest = go_on(fork(new.path, tmp_path / "newest", steps=2))
    for made in (new, newest):
        schedule = made.schedule()
        assert [it.age for it in schedule] == list(range(len(schedule)))
        assert all(it.value >= 10 or math.isnan(it.value) for it in schedule)
        assert all(math.isnan(it.value) for it in schedule[:4])
        assert math.isnan(schedule[4].value) == (values == "drop")
        assert schedule[-1].value == made.best.value
    same = go_on(fork(old.path, tmp_path / "same", steps=2))
    assert all(it.value < 0 for it in same.schedule()[:5])
    turned = fork(old.path, tmp_path / "turned", mode="max", values=lambda trial: trial.value, steps=2)
    assert [math.isnan(it.value) for it in turned.schedule()] == [True] * 4 + [False]


def test_values_of_the_old_objective_never_stop_the_fork(old, tmp_path):
    """A target that each old value would meet is met by a new one alone."""
    stop = hoptim.Stop(value=0.0)
    new = fork(old.path, tmp_path / "new", values="drop", steps=3, stop=stop)
    assert go_on(new).done
    assert new.stopped is None
    given = fork(old.path, tmp_path / "given", values=accuracy, steps=3, stop=stop)
    assert go_on(given).stopped is None


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(-9, 9), min_size=6, max_size=6),
    mode=st.sampled_from(["min", "max"]),
)
def test_top_takes_the_values_that_a_lineage_has(values, mode):
    """Trials without a value are passed over, whatever they lie between."""
    made = study(mode=mode, size=1, steps=7)
    given_values = iter([*values, 1.0])
    for trial in made:
        value = next(given_values)
        trial.advance() if value is None else trial.tell(value)
    expected = tuple(v for v in [*values, 1.0] if v is not None)
    assert made.top(last=9)[0].values == expected
    assert made.top(last=2)[0].values == expected[-2:]


def test_another_mode_asks_what_becomes_of_the_values(old, tmp_path):
    """It is refused with the line to write, and nothing is left; the same mode needs no answer."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(hoptim.ArgumentError, match=r"hoptim.fork\(\.\.\., mode='max', values='drop'\)"):
        fork(old.path, tmp_path / "new", mode="max")
    with pytest.raises(hoptim.ArgumentError, match="mode must be 'min' or 'max', found 'low'"):
        fork(old.path, tmp_path / "new", mode="low", values="drop")
    with pytest.raises(hoptim.ArgumentError, match="values must be 'drop' or a function"):
        fork(old.path, tmp_path / "new", values="keep")
    assert sorted(tmp_path.iterdir()) == before
    assert fork(old.path, tmp_path / "new", mode="min").trials[0].value < 0


def test_a_function_that_returns_no_number_leaves_nothing(old, tmp_path):
    """What it returns is checked as a told value is, and its own error passes; then the same call works."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(
        hoptim.ArgumentError, match=r"values= gives to trial \d+ must be a number, found None"
    ):
        fork(old.path, tmp_path / "new", values=lambda trial: None)
    with pytest.raises(ZeroDivisionError):
        fork(old.path, tmp_path / "new", values=lambda trial: 1 / 0)
    assert sorted(tmp_path.iterdir()) == before
    assert os.listdir(Path(old.path) / "pins") == []
    fork(old.path, tmp_path / "new", values=accuracy)


def test_each_proposal_is_a_function_of_the_forks_own_records(old, tmp_path):
    """Recomputed from the journal of the fork alone, every proposal after its generation is the same."""
    new = go_on(fork(old.path, tmp_path / "new", mode="max", values="drop", steps=4))
    session = new._session
    state = State(StudyShape(new.size, new.steps, new.seed, sign=-1))
    propose = Proposer(session.config.space, session.config.optimizer)
    for record in records(new.path):
        if record["op"] == "ask" and record["step"] > 0:
            again = propose(state, record["member"], record["trial"])
            assert {name: record.get(name) for name in again} == again
        state.apply(record)
