"""Trials that were trained and not valued: their members go on, and decide at their next value."""

from __future__ import annotations

import json
import math
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
import hoptim.remote
from hoptim.errors import AlreadyTold, ArgumentError, CheckpointError, NoCheckpoint, NoResult
from hoptim.session.propose import Proposer
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from tests import reader
from tests.builders import acknowledged, finish, loss, recompute, run, saving, space, study
from tests.golden.make import FORMATS

EVERY = 4
OPTIMIZERS = [
    hoptim.ROMUL(), hoptim.Initiator(), hoptim.TruncationSelection(), hoptim.PB2(), hoptim.Patient(),
    hoptim.MixedHorizon(), hoptim.MultiFrequency((1, 6)), hoptim.ASHA(8, reduction_factor=2),
    hoptim.RandomSearch(6), hoptim.Fixed([{"x": 0.1, "k": 1}, {"x": 0.2, "k": 2}, {"x": 0.3, "k": 3}]),
]  # fmt: skip


def count(trial: hoptim.Trial) -> Callable[[str], object]:
    """Train weights that count how often they were trained; return their `save`."""
    trained = 0 if trial.checkpoint is None else int(Path(trial.checkpoint).read_text())
    assert trained == trial.age
    return saving(str(trained + 1))


def train(made: hoptim.Study, every: int = EVERY) -> hoptim.Study:
    """Run a study to its end, with a value after each `every` steps of a member."""
    for trial in made:
        end(trial, every)
    return made


def end(trial: hoptim.Trial, every: int = EVERY) -> None:
    """Train a trial and end it, with a value if one is due."""
    if (trial.step + 1) % every:
        trial.advance(count(trial))
    else:
        trial.tell(loss(trial), count(trial))


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_a_metric_of_every_fourth_interval(tmp_path, optimizer, synchronous):
    """Weights count their intervals, members go on as they are between values, and decide after them."""
    made = train(study(tmp_path / "s", size=6, steps=16, optimizer=optimizer, synchronous=synchronous))
    trials = {trial.number: trial for trial in made.trials}
    for trial in trials.values():
        assert (trial.valued, trial.finite, trial.failed) == ((trial.step + 1) % EVERY == 0,) * 2 + (None,)
        if trial.step % EVERY:
            own = trials[trial.parent]
            assert (own.member, own.step, own.memo) == (trial.member, trial.step - 1, trial.memo)
            assert own.params == trial.params or isinstance(optimizer, hoptim.Fixed)
    if not isinstance(optimizer, (hoptim.ASHA, hoptim.RandomSearch)):  # which begin configurations anew
        assert sum(trial.parent is None for trial in trials.values()) == 6
    if not isinstance(optimizer, (hoptim.RandomSearch, hoptim.Fixed)):
        assert made.family.exploits
    assert recompute(tmp_path / "s") == len(trials)
    told = [(trial.number, trial.value if trial.valued else None) for trial in trials.values()]
    assert reader.judge(tmp_path / "s" / "journal.jsonl", told)[0] == []
    assert made.check().findings == ()
    assert made.best == min((t for t in trials.values() if t.step == 15), key=lambda t: t.value)
    assert len(made.schedule()) == made.best.age + 1


def test_fixed_follows_the_age_of_the_weights():
    """A given schedule goes on by age, whether there are values or not."""
    schedule = [{"x": 0.1, "k": 1}, {"x": 0.2, "k": 2}, {"x": 0.3, "k": 3}]
    made = train(study(size=1, steps=4, optimizer=hoptim.Fixed(schedule)))
    assert [trial.params for trial in made.trials] == [*schedule, schedule[-1]]


def test_where_nobody_has_a_value_nothing_is_decided():
    """All go on as they are to the end; there is no best, and a schedule of any of them all the same."""
    made = study(size=3, steps=4)
    for trial in made:
        trial.advance()
    trials = made.trials
    assert all(t.parent is None or trials[t.parent].member == t.member for t in trials)
    assert [t.step for t in trials if t.parent is None] == [0, 0, 0]
    assert (made.done, made.status().best, made.status().failed) == (True, None, 0)
    with pytest.raises(NoResult, match="some advanced without a value"):
        _ = made.best
    assert [math.isnan(interval.value) for interval in made.schedule(11)] == [True] * 4


def test_populations_and_best_are_without_a_member_until_its_value():
    """One that advanced is not compared, whatever value it had before; others are."""
    views: dict[int, list[int]] = {}

    class Spy(hoptim.Optimizer):
        def describe(self):
            return {"name": "Spy"}

        def propose(self, view, member, rng):
            views[len(views)] = view.population.member.tolist()
            row = view.population.row(member)
            return hoptim.Proposal(None if row is None else int(view.population.number[row]), np.zeros(2))

    made = study(size=3, steps=3, optimizer=Spy(), synchronous=True)
    for trial in made:
        if trial.step == 1 and trial.member == 0:
            trial.advance()
        else:
            trial.tell(float(trial.member))
        if made.results().progress == [2, 2, 2]:
            assert made.best.member == 1
    assert list(views.values()) == [[]] * 3 + [[0, 1, 2]] * 3 + [[1, 2]] * 2


def test_a_missed_decision_is_made_at_the_next_value():
    """Of two members that compare after each sixth step, with values after the fourth and the eighth."""
    made = study(size=2, steps=12, optimizer=hoptim.MultiFrequency((6,)))
    for trial in made:
        if (trial.step + 1) % 4:
            trial.advance()
        else:
            trial.tell(float(trial.member))
    assert [exploit.trial.step for exploit in made.family.exploits] == [8]


def test_history_has_a_value_for_all_since_the_last(tmp_path):
    """The trial that has the value stands for those before: its parent is the last with one."""
    made = study(tmp_path / "s", size=1, steps=9)
    for trial in made:
        if trial.step in (0, 3, 4, 7):
            trial.tell(1.0)
        else:
            trial.advance()
    session = hoptim.load(tmp_path / "s")._session
    proposer, state = Proposer(session.config.space, session.config.optimizer), session.store.refresh()
    past = proposer._history(state)
    assert list(zip(past.number, past.parent, past.span, strict=True)) == [
        (0, -1, 1), (3, 0, 3), (4, 3, 1), (7, 4, 3),
    ]  # fmt: skip


def test_a_member_that_fails_between_values_is_rescued_by_one_with_a_value():
    """It copies the weights of the one member that has a value."""
    made = study(size=3, steps=4, synchronous=True)
    for trial in made:
        if trial.step == 2 and trial.member == 0:
            trial.tell(math.nan)
        elif trial.step in (0, 1, 2) and trial.member == 1:
            trial.advance()
        else:
            trial.tell(1.0)
    rescued = next(trial for trial in made.trials if (trial.member, trial.step) == (0, 3))
    assert (made.status().failed, made.trials[rescued.parent].member) == (1, 2)


@pytest.mark.parametrize("stateful", [False, True])
def test_a_study_has_checkpoints_as_its_first_trial_says(tmp_path, stateful):
    """An advance decides it as a value does, and one that does not fit keeps the claim."""
    made = study(tmp_path / "s", size=1, steps=3)
    made.ask().advance(saving("a") if stateful else None)
    trial = made.ask()
    with pytest.raises(NoCheckpoint if stateful else CheckpointError, match="The claim is kept"):
        trial.advance(None if stateful else saving("b"))
    trial.advance(saving("b") if stateful else None)
    with pytest.raises(AlreadyTold, match="has been advanced already"):
        trial.tell(1.0)
    made.ask().tell(1.0, saving("c") if stateful else None)
    assert [trial.valued for trial in made.trials] == [False, False, True]


def test_none_is_no_value():
    """A value that is None is refused, as it may be an accident; the message of a bad value stays."""
    trial = study().ask()
    with pytest.raises(ArgumentError, match="the value must be a number, found None"):
        trial.tell(None)
    trial.advance(metrics={"note": None})
    assert trial.ended == "advanced"


def test_the_weights_in_memory_go_on(tmp_path):
    """A loop of one member never loads a checkpoint: what advanced is what the next one continues."""
    made = study(tmp_path / "s", size=1, steps=5)
    continued = []
    for trial in made:
        continued.append(trial.continues)
        end(trial)
    assert continued == [False, True, True, True, True]


def test_the_same_advance_twice_is_one(tmp_path):
    """Two copies of a trial may both say it; one that tells a value then is refused."""
    made = study(tmp_path / "s")
    asked = hoptim.remote.ask(tmp_path / "s")
    claim = asked["number"], asked["token"]
    for _ in range(2):
        hoptim.remote.advance(tmp_path / "s", *claim, metrics={"note": "x"})
    with pytest.raises(AlreadyTold):
        hoptim.remote.tell(tmp_path / "s", *claim, 1.0)
    assert [(trial.valued, trial.metrics) for trial in made.trials] == [(False, {"note": "x"})]


def test_a_lost_checkpoint_of_an_advanced_trial_is_a_failure(tmp_path):
    """Its member is rescued as any other, from one that has a value."""
    made = study(tmp_path / "s", size=3, steps=4)
    for _ in range(6):
        trial = made.ask()
        if trial.step == 1 and trial.member == 0:
            trial.advance(saving("weights"))
        else:
            trial.tell(1.0, saving("weights"))
    advanced = next(trial for trial in made.trials if not trial.valued)
    Path(advanced.checkpoint).unlink()
    for trial in made:
        trial.tell(1.0, saving("weights"))
    own = next(trial for trial in made.trials if (trial.member, trial.step) == (0, 2))
    assert made.trials[own.parent].member != 0
    assert made.done


def test_a_fork_brings_what_has_no_value(tmp_path):
    """The members of the fork go on with these weights, and their schedules reach back."""
    made = study(tmp_path / "s", size=4, steps=7)
    train(made)
    new = hoptim.fork(tmp_path / "s", tmp_path / "fork", steps=4)
    assert [(trial.valued, trial.age) for trial in new.trials] == [
        (t.valued, t.age) for t in made.trials[-4:]
    ]
    for trial in new:  # the fork's step 0 is the old study's seventh
        assert int(Path(trial.checkpoint).read_text()) == trial.age
        trial.tell(loss(trial), saving(str(trial.age + 1)))
    assert [trial.parent for trial in new.trials[4:8]] == [0, 1, 2, 3]
    assert len(new.schedule()) == 10


def test_a_smaller_fork_leaves_failures_behind_first(tmp_path):
    """What was not valued is chosen before what failed, and after what has a value."""
    made = study(tmp_path / "s", size=4, steps=1)
    for trial in made:
        if trial.member == 1:
            trial.tell(math.nan)
        elif trial.member == 3:
            trial.tell(1.0, saving("w"))
        else:
            trial.advance(saving("w"))
    new = hoptim.fork(tmp_path / "s", tmp_path / "fork", size=3)
    assert [trial.origin for trial in new.trials] == [0, 2, 3]


def test_a_study_of_format_1_refuses_it(tmp_path):
    """Its older readers know no trial without a value; the claim is kept."""
    made = hoptim.load(shutil.copytree(FORMATS[1] / "stateless", tmp_path / "old"))
    trial = made.ask()
    with pytest.raises(ArgumentError, match="go on in a fork"):
        trial.advance()
    trial.tell(1.0)


def test_a_schedule_without_some_values_is_saved_and_read(tmp_path):
    """As JSON and as CSV what has no value is null, and NaN again when read."""
    found = train(study(size=3, steps=4)).schedule()
    for name in ("s.json", "s.csv"):
        found.save(tmp_path / name)
        again = hoptim.Schedule.load(tmp_path / name, space())
        assert again == found
        assert [math.isnan(interval.value) for interval in again] == [True, True, True, False]
    assert json.loads((tmp_path / "s.json").read_text())["intervals"][0]["value"] is None


def test_ashas_rungs_are_reached_at_the_first_value_after(tmp_path):
    """With values after every third interval, rungs of 1, 2, 4 and 8 are compared after 3, 6 and 9."""
    made = study(tmp_path / "s", size=4, steps=24, optimizer=hoptim.ASHA(8, reduction_factor=2))
    for trial in made:
        end(trial, 3)
    ages = [trial.age for trial in made.trials if trial.valued]
    assert set(ages) == {2, 5, 8}
    assert 0.5 * ages.count(2) >= ages.count(5) > ages.count(8)
    assert sum(trial.parent is None for trial in made.trials) == ages.count(
        2
    )  # none goes on in two members
    parents = [trial.parent for trial in made.trials if trial.parent is not None]
    assert len(set(parents)) == len(parents)


ways = st.sampled_from(["tell", "advance", "advance", "advance", "nan", "fail", "release"])


@given(
    ways=st.lists(ways, max_size=60), optimizer=st.sampled_from(OPTIMIZERS[:8]), lead=st.integers(0, 2),
    synchronous=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_however_trials_end_members_go_on(ways, optimizer, lead, synchronous):
    """A trial after one without a value continues it, as it is; the journal replays to the same."""
    made = study(size=3, steps=8, optimizer=optimizer, lead=lead, synchronous=synchronous)
    last: dict[int, hoptim.Trial | None] = {}
    for way in ways:
        if made.done:
            break
        trial = made.ask()
        before = last.get(trial.member)
        if before is not None:
            assert (trial.parent, trial.params, trial.age) == (before.number, before.params, before.age + 1)
        if way == "release":
            trial.release()
            continue
        if way == "fail":
            trial.fail("drawn", retry=False)
        elif way == "advance":
            trial.advance(count(trial))
        else:
            trial.tell(loss(trial) if way == "tell" else math.nan, count(trial))
        last[trial.member] = trial if way == "advance" else None
    state = made._session.store.state
    again = State(StudyShape(made.size, made.steps, made.seed, 1))
    proposer = Proposer(made.space, made.optimizer)
    for record in made._session.store.journal._records:
        if record["op"] == "ask" and "member" in record:  # each proposal is a function of what is before
            fields = proposer(again, record["member"], record["trial"])
            assert {name: record.get(name) for name in fields} == fields
        again.apply(record)
    assert repr(list(again.finished.values())) == repr(list(state.finished.values()))
    latest = [own[-1] for own in state.members if own]
    finite = [trial.value for trial in latest if trial.finite]
    assert (made.status().best is None) == (not finite)
    assert made.status().failed == sum(t.valued and not t.finite for t in state.finished.values())


def test_workers_that_are_killed_lose_no_interval(tmp_path):
    """Killed in each phase of an advance and started again, they do each step once, on whole weights."""
    folder, acks = tmp_path / "s", tmp_path / "acks"
    acks.mkdir()
    how = {"EVERY": "3", "STEPS": "6", "SIZE": "3"}
    for phase in ("train", "save", "published", "unwritten", "torn", "unsynced", "told"):
        worker = run("train.py", folder, acks, phase, 2, **how)
        worker.communicate(timeout=120)
        assert worker.returncode == -signal.SIGKILL, phase
    finish([run("train.py", folder, acks, **how)])
    wrong, places = reader.judge(folder / "journal.jsonl", acknowledged(acks))
    assert (wrong, places) == ([], [(member, step) for member in range(3) for step in range(6)])
    trials = hoptim.load(folder).trials
    assert [trial.valued for trial in trials] == [trial.step % 3 == 2 for trial in trials]
    assert recompute(folder) == len(trials)


def test_pictures_and_reports_lead_past_what_has_no_value():
    """No trial without a value is a failure in them, and lines join the values on both sides of it."""
    pytest.importorskip("matplotlib")
    from hoptim.analysis.trial_table import TrialTable
    from hoptim.report.data import data_of

    made = train(study(size=3, steps=8))
    table = TrialTable.of(made.results())
    later = table.valued & (table.step > EVERY)
    edges = table.edges(table.value, later)
    assert np.isfinite(edges).all()
    assert edges[:, :, 0].tolist() == [[3.0, 7.0]] * 3
    assert not table.failed.any()
    hoptim.plot.overview(made)
    data = data_of(made)
    assert (data["failed"], data["trials"]["value"].count(None)) == (0, 18)
