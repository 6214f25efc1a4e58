"""A loop that saves, and never reads what it is asked to train, is noticed."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

import hoptim
from hoptim import _reads, remote
from tests.builders import records, saving, snapshot_often, study

CHECKPOINT = (
    "trials told though trial.checkpoint was never read: what was trained is not the parent's "
    "weights. Load it unless trial.continues."
)


@pytest.fixture(params=["memory", "files"])
def where(request, tmp_path):
    """A place for a study."""
    return None if request.param == "memory" else tmp_path / "s"


def unread(made):
    """Numbers of trials by the field that was not read, as any process finds them."""
    return made.results().unread


def tell(trial):
    """Tell any trial, with a checkpoint, after a look at its hyperparameters."""
    trial.tell(trial.params["x"], save=saving("x"))


def second_generation(path=None, **options):
    """A study of two members whose first generation is told, and the first trial that has to load."""
    made = study(path, size=2, steps=4, **options)
    while (trial := made.ask()).parent is None or trial.continues:
        tell(trial)
    assert (trial.parent is not None, trial.continues) == (True, False)
    return made, trial


def test_a_loop_that_never_loads_is_warned_once(where, caplog):
    """The first such trial is logged, all are counted, and the status says so in any process."""
    made = study(where, size=3, steps=3)
    wrong = []
    for trial in made:
        wrong += [trial.number] if trial.parent is not None and not trial.continues else []
        tell(trial)
    (text,) = [record.getMessage() for record in caplog.records]
    assert text.startswith(f"Trial {wrong[0]} continues from trial ")
    assert "its checkpoint was never read" in text
    assert unread(made) == {"checkpoint": len(wrong), "params": 0}
    seen = made if where is None else hoptim.load(where)
    assert seen.status().warnings == [f"{len(wrong)} {CHECKPOINT}"]


def test_hyperparameters_that_are_never_read_are_warned_of(where, caplog):
    """Also in the first generation, which has nothing to load."""
    made = study(where, size=2, steps=2)
    for trial in made:
        assert trial.checkpoint is None or Path(trial.checkpoint).exists()
        trial.tell(trial.number, save=saving("x"))
    (text,) = [record.getMessage() for record in caplog.records]
    assert text.startswith("Trial 0 has hyperparameters that were never read")
    assert unread(made)["checkpoint"] == 0
    assert [line for line in made.status().warnings if "trial.params was never read" in line] != []


def test_a_loop_as_it_should_be_is_not_warned(where, caplog):
    """Whoever loads unless the weights are in memory, and applies the hyperparameters, hears nothing."""
    made = study(where, size=3, steps=4)
    for trial in made:
        if not trial.continues and trial.checkpoint:
            assert Path(trial.checkpoint).read_text() == "x"
        tell(trial)
    assert caplog.records == []
    assert unread(made) == {"checkpoint": 0, "params": 0}
    assert made.status().warnings == []


def test_strict_refuses_before_anything_is_published(tmp_path):
    """The claim is kept and nothing is on disk; the same trial can be told once it was read."""
    made, trial = second_generation(tmp_path / "s", strict=True)
    before = sorted(os.listdir(tmp_path / "s" / "checkpoints"))
    saved = []
    with pytest.raises(hoptim.NotApplied, match=r"Trial 3 continues.*never read.*the claim is kept"):
        trial.tell(trial.params["x"], save=saved.append)
    assert (saved, trial.ended) == ([], None)
    assert sorted(os.listdir(tmp_path / "s" / "checkpoints")) == before
    assert Path(trial.checkpoint).read_text() == "x"
    tell(trial)
    assert unread(made) == {"checkpoint": 0, "params": 0}
    assert all("unread" not in record for record in records(tmp_path / "s"))


def test_strict_is_true_or_false():
    """Anything else is refused at once."""
    with pytest.raises(hoptim.ArgumentError, match="strict must be True or False"):
        study(None, strict=np.zeros(2))


def test_a_continued_trial_is_not_judged(where):
    """The weights in memory are the parent's: there is nothing to load."""
    made = study(where, size=1, steps=4, strict=True)
    for trial in made:
        tell(trial)
    assert made.done


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_what_is_told_without_a_checkpoint_is_not_judged(where, value):
    """A stateless study has no weights, and of a value that is not finite nothing is published."""
    made = study(where, size=2, steps=1, strict=True)
    for trial in made:
        trial.tell(value)
    assert unread(made) == {"checkpoint": 0, "params": 0}


def printed(trial):
    """Look at the trial as a log does."""
    assert f"params={vars(trial)['params']}" in repr(trial)
    return []


def checked(trial):
    """Compare one hyperparameter with what is in force."""
    trial.check(x=vars(trial)["params"]["x"])
    return ["params"]


def resumed(trial):
    """Look for what an earlier attempt has left."""
    assert list(trial.scratch.iterdir()) == []
    return ["checkpoint"]


def in_a_thread(trial):
    """Read in another thread."""
    thread = threading.Thread(target=lambda: trial.checkpoint)
    thread.start()
    thread.join()
    return ["checkpoint"]


def in_a_child(trial):
    """Read in a forked child, as a data loader or a process per trial does."""
    pid = os.fork()
    if pid == 0:
        os._exit(not trial.checkpoint)
    assert os.waitpid(pid, 0)[1] == 0
    return ["checkpoint"]


def copied(trial):
    """Make a copy, which may be read by anybody."""
    assert copy.copy(trial).parent == trial.parent
    return ["checkpoint", "params"]


@pytest.mark.parametrize("look", [printed, checked, resumed, in_a_thread, in_a_child, copied])
def test_what_counts_as_reading(where, look):
    """Whoever may have read a field in any way is not accused; printing a trial is not reading it."""
    made, trial = second_generation(where)
    read = look(trial)
    trial.tell(0.5, save=saving("x"))
    assert unread(made) == {name: int(name not in read) for name in ("checkpoint", "params")}


class Holder:
    """What reads are noted of."""


def test_reads_of_many_trials_and_processes_are_kept_apart():
    """One that is in hand with many others has a record of its own, which a forked child's trials leave."""
    first, *others = held = [Holder() for _ in range(3 * _reads._AT_ONCE // 2)]
    for each in held:
        _reads.begin(each)
    for each in others:
        _reads.note(each, "params")
    pid = os.fork()
    if pid == 0:
        for each in [Holder() for _ in held]:
            _reads.begin(each)
            _reads.note(each, "checkpoint")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    _reads.begin(late := Holder())
    assert [_reads.unread(each) for each in (first, late)] == [["checkpoint", "params"]] * 2
    assert {tuple(_reads.unread(each)) for each in others} == {("checkpoint",)}


def test_a_trial_that_was_pickled_is_not_judged(tmp_path):
    """Neither the copy, of which nobody knows what was read, nor the original, if it is told after all."""
    made, trial = second_generation(tmp_path / "s", strict=True)
    again = pickle.loads(pickle.dumps(trial))
    assert (again.checkpoint, again.params) == (trial.checkpoint, trial.params)
    again.tell(0.5, save=saving("x"))
    other = made.ask()
    pickle.dumps(other)
    other.tell(0.5, save=saving("x"))
    assert unread(made) == {"checkpoint": 0, "params": 0}


def test_a_trial_of_another_language_is_not_judged(tmp_path):
    """What a loop in a shell reads of the JSON is its own affair."""
    study(tmp_path / "s", size=2, steps=2)
    while (asked := remote.ask(tmp_path / "s")) is not None:
        Path(asked["draft"]).write_text("x")
        remote.tell(tmp_path / "s", asked["number"], asked["token"], 0.5, asked["draft"], strict=True)
    assert unread(hoptim.load(tmp_path / "s")) == {"checkpoint": 0, "params": 0}


@pytest.mark.parametrize("order", [1, -1])
def test_trials_in_hand_together_are_not_judged(where, order):
    """Who trains a generation at once has the weights of each member in memory."""
    made = study(where, size=3, steps=3, synchronous=True, strict=True)
    for _ in range(3):
        for trial in [made.ask() for _ in range(3)][::order]:
            trial.tell(0.5, save=saving("x"))
    assert made.done


def test_a_snapshot_keeps_the_count(tmp_path, monkeypatch):
    """A process that opens a long study counts what was told before the snapshot."""
    snapshot_often(monkeypatch, 4)
    for trial in (made := study(tmp_path / "s", size=2, steps=8)):
        tell(trial)
    assert (tmp_path / "s" / "snapshot.json").exists()
    assert hoptim.load(tmp_path / "s").results().unread == unread(made)
    assert unread(made)["checkpoint"] > 1


def test_a_callback_is_told_of_a_trial_as_before(where, caplog):
    """A callback that reads nothing changes nothing, and fields, equality and repr are those of before."""
    asked = []

    class Listener:
        def asked(self, trial):
            asked.append(trial)

    with caplog.at_level(logging.WARNING, "hoptim"):
        _, trial = second_generation(where, callbacks=[Listener()])
        trial.tell(0.5, save=saving("x"))
    assert len(caplog.records) == 2  # one for each field
    assert asked[-1] is trial
    assert asked[-1] != asked[0]
    assert repr(trial).startswith(f"Trial(number=3, member={trial.member}, step=1, age=1, parent=")
    assert "keeper" not in repr(trial)
