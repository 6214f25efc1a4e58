"""Forks: a study that goes on from a generation of another one, with other settings."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import pytest

import hoptim
from hoptim import fork
from tests import builders
from tests.builders import advance, loss, records, saving, space, study, train


@pytest.fixture
def old(tmp_path):
    """A finished study whose trials have checkpoints, all of them kept."""
    return train(study(tmp_path / "old", keep=lambda trial: True), saves=True)


def go_on(new):
    """Train a fork to its end; each checkpoint must hold its parent's text."""
    for trial in new:
        if trial.checkpoint is not None:
            parent = new.trials[trial.parent]
            number = parent.number if parent.origin is None else parent.origin
            assert Path(trial.checkpoint).read_text() == str(number)
        trial.tell(loss(trial), save=saving(str(trial.number)))
    return new


def test_a_fork_begins_with_the_generation(old, tmp_path):
    """Its step 0 is the old study's last step: values, params, ages, seeds, metrics and checkpoints."""
    new = fork(old.path, tmp_path / "new", steps=4)
    then = [t for t in old.trials if t.step == 4]
    for trial, was in zip(new.trials, sorted(then, key=lambda t: t.member), strict=True):
        assert (trial.origin, trial.member, trial.step) == (was.number, was.member, 0)
        assert (trial.value, trial.params, trial.x) == (was.value, was.params, was.x)
        assert (trial.age, trial.seed, trial.memo) == (was.age, was.seed, was.memo)
        assert os.path.samefile(trial.checkpoint, was.checkpoint)
    assert (new.size, new.steps, new.mode, new.seed) == (4, 4, "min", 1)
    assert go_on(new).done
    assert [t.origin is None for t in new.trials] == [False] * 4 + [True] * 12
    assert new.check().ok
    assert old.check().ok


def test_an_earlier_generation_can_be_taken(old, tmp_path):
    """The population after a step is that of the step, and the new study goes as far as the old one."""
    new = fork(old.path, tmp_path / "new", at_step=1)
    assert {t.origin for t in new.trials} == {t.number for t in old.trials if t.step == 1}
    assert new.steps == 4
    go_on(new)


def test_a_line_reaches_back_into_the_old_study(old, tmp_path):
    """A schedule goes on from the old study's by age, with the seeds and values of both, also twice."""
    new = go_on(fork(old.path, tmp_path / "new", at_step=2, steps=4))
    newest = go_on(fork(new.path, tmp_path / "newest", steps=4))
    assert newest.origin.origin.trials == [t.__class__(**vars(t)) for t in newest.origin.origin.trials]
    schedule = newest.schedule()
    assert [it.age for it in schedule] == list(range(len(schedule)))
    line = newest.lineage().line
    before = new.schedule(line[0].origin)
    assert [tuple(it) for it in schedule[: len(before)]] == [tuple(it) for it in before]
    first = new.lineage(line[0].origin).line[0]
    assert tuple(schedule[0]) == tuple(old.schedule(first.origin)[0])
    assert new.origin.best.value == old.best.value
    assert old.origin is None


def test_more_members_begin_as_copies_of_the_best(old, tmp_path):
    """Added members share the checkpoints of the best ones, the best first."""
    new = fork(old.path, tmp_path / "new", size=6)
    then = sorted((t for t in old.trials if t.step == 4), key=lambda t: t.value)
    assert [t.origin for t in new.trials[4:]] == [t.number for t in then[:2]]
    assert os.path.samefile(new.trials[4].checkpoint, then[0].checkpoint)
    go_on(new)


def test_fewer_members_are_the_best(old, tmp_path):
    """A smaller population keeps the best ones."""
    new = fork(old.path, tmp_path / "new", size=2)
    then = sorted((t for t in old.trials if t.step == 4), key=lambda t: t.value)
    assert {t.origin for t in new.trials} == {t.number for t in then[:2]}


def test_another_space_keeps_what_it_can(old, tmp_path):
    """Values keep, move to the nearest bound, begin at init, or are drawn; removed ones are gone."""
    wanted = {
        "x": hoptim.Float(0.4, 0.6),
        "new": hoptim.Int(1, 9, init=7),
        "drawn": hoptim.Choice(["a", "b"]),
    }
    new = fork(old.path, tmp_path / "new", space=wanted, steps=3)
    for trial in new.trials:
        was = old.trials[trial.origin].params
        assert trial.params["x"] == pytest.approx(min(max(was["x"], 0.4), 0.6))
        assert (trial.params["new"], trial.params["drawn"] in "ab") == (7, True)
    for trial in new:
        trial.tell(trial.params["x"], save=saving("w"))
    line = new.lineage().line
    assert [it.age for it in new.schedule()] == [t.age for t in line]
    assert new.schedule().intervals[0].age == line[0].age == 4
    with pytest.raises(hoptim.ArgumentError, match="at least 4"):
        new.schedule()(3)


def test_objects_behind_names_come_along(tmp_path):
    """A mapped choice is given again, and the fork hands out its objects."""
    mapped = {"f": hoptim.Choice({"up": math.ceil, "down": math.floor})}
    for trial in hoptim.Study(tmp_path / "old", space=mapped, size=2, steps=2, mode="min"):
        trial.tell(trial.params["f"](0.5))
    new = fork(tmp_path / "old", tmp_path / "new", space=mapped, steps=3)
    assert {t.params["f"] for t in new.trials} <= {math.ceil, math.floor}


@pytest.mark.parametrize("optimizer", [hoptim.TruncationSelection(), hoptim.ROMUL(step=0.3)])
def test_another_optimizer_goes_on(old, tmp_path, optimizer):
    """Whoever decides from here on finds the memos that it would have written."""
    new = go_on(fork(old.path, tmp_path / "new", optimizer=optimizer, steps=3))
    back = go_on(fork(new.path, tmp_path / "back", optimizer=hoptim.ROMUL(), steps=3))
    assert back.trials[-1].memo["sigma"] > 0


def test_a_study_without_checkpoints_is_forked_too(tmp_path):
    """Stateless studies have nothing to share, and their forks save nothing either."""
    train(study(tmp_path / "old"))
    new = train(fork(tmp_path / "old", tmp_path / "new", steps=3))
    assert new.done
    assert {t.checkpoint for t in new.trials} == {None}


def test_failed_members_are_rescued_after_the_fork(tmp_path):
    """A trial that failed comes along as failed, and its member goes on from a healthy one."""
    for trial in study(tmp_path / "old", steps=2):
        trial.tell(math.nan if trial.number == 5 else loss(trial), save=saving(str(trial.number)))
    new = fork(tmp_path / "old", tmp_path / "new", steps=2)
    assert [t.finite for t in new.trials].count(False) == 1
    go_on(new)
    lost = next(t.member for t in new.trials if not t.finite)
    assert next(t for t in new.trials if (t.member, t.step) == (lost, 1)).parent is not None


def test_metrics_that_are_not_finite_come_along(tmp_path):
    """A metric that overflowed is in the fork as it was told, and the fork begins nevertheless."""
    for trial in study(tmp_path / "old", steps=1):
        trial.tell(loss(trial), metrics={"norm": math.inf, "accuracy": 0.5})
    new = fork(tmp_path / "old", tmp_path / "new", steps=2)
    assert {tuple(t.metrics.values()) for t in new.trials} == {(math.inf, 0.5)}


def test_dropped_checkpoints_cannot_be_forked(tmp_path):
    """A generation whose checkpoints nobody kept is refused with the one that can be taken."""
    train(study(tmp_path / "old"), saves=True)
    with pytest.raises(
        hoptim.ArgumentError, match=r"members \[0, 1, 2, 3\] after step 1 were dropped. Fork at step 4"
    ):
        fork(tmp_path / "old", tmp_path / "new", at_step=1)
    assert not (tmp_path / "new").exists()


def test_a_generation_that_some_have_left_behind_is_to_be_waited_for(tmp_path):
    """A fork of the slowest member's last step, dropped of those ahead, is not told to take that step."""
    made = study(tmp_path / "old")
    advance(made)
    slowest, *others = [made.ask() for _ in range(4)]
    for trial in others:
        trial.tell(-1.0, save=saving("ahead"))
    assert slowest.ended is None
    with pytest.raises(hoptim.ArgumentError, match="Fork once all members have done the same step"):
        fork(tmp_path / "old", tmp_path / "new")


def test_what_cannot_work_is_refused(old, tmp_path):
    """No such step, no such study, a directory in use, a bad size: said at once, and nothing is left."""
    before = sorted(tmp_path.iterdir())
    for changes, match in (
        ({"at_step": 5}, "the last is 4"), ({"at_step": -1}, "at_step"), ({"size": 0}, "size"),
        ({"steps": 0}, "steps"), ({"space": {}}, "space"),
    ):  # fmt: skip
        with pytest.raises(hoptim.ArgumentError, match=match):
            fork(old.path, tmp_path / "new", **changes)
    with pytest.raises(hoptim.ArgumentError, match="no study"):
        fork(tmp_path / "none", tmp_path / "new")
    with pytest.raises(hoptim.ArgumentError, match="not empty"):
        fork(old.path, old.path)
    assert sorted(tmp_path.iterdir()) == before
    study(tmp_path / "fresh")
    with pytest.raises(hoptim.ArgumentError, match="there is none yet"):
        fork(tmp_path / "fresh", tmp_path / "new")


def test_a_study_in_training_can_be_forked(tmp_path):
    """While others train and drop checkpoints, the generation's are all there and whole."""
    made = study(tmp_path / "old", steps=60)
    thread = threading.Thread(target=train, args=(made, True))
    thread.start()
    builders.wait_until(lambda: made._session.store.state.count > 8)
    new = fork(tmp_path / "old", tmp_path / "new", steps=2)
    thread.join()
    go_on(new)
    assert made.done
    assert len(made.trials) == 240


def test_a_fork_is_ordinary_for_its_journal(old, tmp_path):
    """Its records name where each first trial came from, and a reopening finds the same study."""
    fork(old.path, tmp_path / "new", steps=4)
    asks = [r for r in records(tmp_path / "new") if r["op"] == "ask"]
    assert {r["origin"] for r in asks} == {t.number for t in old.trials if t.step == 4}
    assert [old.trials[r["origin"]].member for r in asks] == [0, 1, 2, 3]
    again = hoptim.Study(tmp_path / "new", space=space(), size=4, steps=4, mode="min", seed=1)
    assert len(again.trials) == 4


def test_without_hard_links_checkpoints_are_copied(old, tmp_path, monkeypatch):
    """On another file system a fork has copies."""

    def link(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    new = fork(old.path, tmp_path / "new", steps=2)
    assert not os.path.samefile(new.trials[0].checkpoint, old.trials[-1].checkpoint)
    go_on(new)
