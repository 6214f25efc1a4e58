"""Trials of loops in other languages, whose asks and tells are processes of their own."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import hoptim
from hoptim import remote
from hoptim.store.locking import lock, mounts
from tests.builders import recompute, study, train


@pytest.fixture
def folder(tmp_path):
    """The directory of a small study, which nobody has open."""
    study(tmp_path / "s")
    return tmp_path / "s"


def workers(folder):
    """Names of the signs of life."""
    return os.listdir(folder / "workers")


def test_a_remote_loop_trains_a_whole_study(folder):
    """Ask and tell by numbers and tokens alone make a study whose every decision can be recomputed."""
    while (trial := remote.ask(folder)) is not None:
        assert json.loads(json.dumps(trial)) == trial
        if trial["checkpoint"] is not None:
            assert Path(trial["checkpoint"]).read_text() == f"weights of {trial['parent']}"
        Path(trial["draft"]).write_text(f"weights of {trial['number']}")
        value = trial["params"]["x"] + trial["seed"] % 5
        remote.beat(folder, trial["number"], trial["token"])
        remote.tell(
            folder, trial["number"], trial["token"], value, checkpoint=trial["draft"], metrics={"m": 1}
        )
        assert workers(folder) == []
    made = hoptim.load(folder)
    assert made.done
    assert recompute(folder) == 20
    assert made.trials[0].metrics == {"m": 1.0}


def test_a_claim_outlives_its_process(folder):
    """Somebody else gets another trial, though the process that asked has ended long ago."""
    first, second = remote.ask(folder), remote.ask(folder)
    assert first["number"] != second["number"]
    seen = hoptim.load(folder).status()
    assert [held.lost for held in seen.running] == [False, False]
    assert {held.pid for held in seen.running} == {str(os.getppid())}
    assert len(workers(folder)) == 2


def test_telling_twice_is_telling_once(folder):
    """A tell that is repeated, as a careful script does, is fine; another value is not."""
    trial = remote.ask(folder)
    for _ in range(2):
        remote.tell(folder, trial["number"], trial["token"], 0.5)
    with pytest.raises(hoptim.AlreadyTold):
        remote.tell(folder, trial["number"], trial["token"], 0.25)
    assert [t.value for t in hoptim.load(folder).trials] == [0.5]


def test_failing_hands_the_trial_out_again(folder):
    """A failed attempt is counted once however often it is said, and the trial comes again."""
    trial = remote.ask(folder)
    for _ in range(2):
        remote.fail(folder, trial["number"], trial["token"], "no memory")
    assert workers(folder) == []
    again = remote.ask(folder)
    assert (again["number"], again["attempt"]) == (trial["number"], 2)
    remote.fail(folder, again["number"], again["token"], "no memory", retry=False)
    assert hoptim.load(folder).trials[0].failed == "no memory"


def test_a_trial_that_nobody_began_is_handed_back(folder):
    """A release counts for nothing, leaves no heartbeat behind, and may come twice or too late."""
    first = remote.ask(folder)
    for _ in range(2):
        remote.release(folder, first["number"], first["token"])
    assert os.listdir(folder / "workers") == []
    again = remote.ask(folder)
    assert (again["number"], again["attempt"]) == (first["number"], 1)
    remote.release(folder, first["number"], first["token"])
    remote.tell(folder, again["number"], again["token"], 0.5)
    assert hoptim.load(folder).trials[0].interruptions == 0


def test_a_lost_claim_is_refused(folder):
    """Beats and tells with an older token say that the trial went to somebody else."""
    trial = remote.ask(folder)
    remote.fail(folder, trial["number"], trial["token"], "x")
    remote.ask(folder)
    for call in (
        lambda: remote.beat(folder, trial["number"], trial["token"]),
        lambda: remote.tell(folder, trial["number"], trial["token"], 1.0),
        lambda: remote.fail(folder, trial["number"], trial["token"], "y"),
    ):
        with pytest.raises(hoptim.ClaimLost):
            call()
    assert len(workers(folder)) == 1


def test_without_beats_the_lease_runs_out(folder):
    """A remote loop that died is taken back after its lease, and one that beats is not."""
    dead, alive = remote.ask(folder, lease=1.0), remote.ask(folder, lease=1.0)
    made = hoptim.load(folder, lease=0.5, lead=0)
    hands = [made.ask(), made.ask()]
    with pytest.raises(hoptim.NothingDue):
        made.ask(timeout=0.2)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        remote.beat(folder, alive["number"], alive["token"])
        try:
            hands.append(made.ask(timeout=0.1))
            break
        except hoptim.NothingDue:
            continue
    assert hands[-1].number == dead["number"]
    with pytest.raises(hoptim.ClaimLost, match="given to another worker"):
        remote.beat(folder, dead["number"], dead["token"])
    remote.tell(folder, alive["number"], alive["token"], 0.5)


def test_nothing_due_leaves_nothing_behind(folder):
    """A caller that goes away empty-handed leaves no sign of life."""
    hands = [remote.ask(folder) for _ in range(4)]
    before = workers(folder)
    with pytest.raises(hoptim.NothingDue):
        remote.ask(folder, timeout=0.01)
    assert sorted(workers(folder)) == sorted(before)
    for trial in hands:
        remote.tell(folder, trial["number"], trial["token"], 1.0)
    train(hoptim.load(folder))
    assert remote.ask(folder) is None
    assert workers(folder) == []


def test_a_checkpoint_from_anywhere_is_copied(folder, tmp_path):
    """A file or folder that is not the draft stays where it is, and its copy is published."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a").write_text("weights")
    for source in (tmp_path / "w", tmp_path / "w" / "a"):
        trial = remote.ask(folder)
        remote.tell(folder, trial["number"], trial["token"], 1.0, checkpoint=source)
        assert source.exists()
    whole, file = (Path(t.checkpoint) for t in hoptim.load(folder).trials)
    assert (whole / "a").read_text() == file.read_text() == "weights"
    trial = remote.ask(folder)
    with pytest.raises(hoptim.CheckpointError, match="The claim is kept"):
        remote.tell(folder, trial["number"], trial["token"], 1.0, checkpoint=tmp_path / "none")
    remote.tell(folder, trial["number"], trial["token"], 1.0, checkpoint=tmp_path / "w")


def test_telling_for_a_loop_in_python_leaves_its_sign_of_life(folder):
    """The token of an ordinary worker's trial is as good, and the worker goes on showing that it lives."""
    made = hoptim.load(folder)
    trial = made.ask()
    remote.tell(folder, trial.number, trial.token, 1.0)
    assert len(workers(folder)) == 1


@pytest.mark.parametrize("number", [3, 2**40])
def test_a_trial_that_is_not_there_is_refused(folder, number):
    """A number that nobody was given is an error that says how many there are."""
    remote.ask(folder)
    with pytest.raises(hoptim.ArgumentError, match=f"no trial {number}, but 1 so far"):
        remote.tell(folder, number, 1, 1.0)


@pytest.mark.parametrize("value", ["x", None])
def test_a_value_is_a_number(folder, value):
    """What is no number is refused and the claim kept."""
    trial = remote.ask(folder)
    with pytest.raises(hoptim.ArgumentError, match="must be a number"):
        remote.tell(folder, trial["number"], trial["token"], value)
    remote.tell(folder, trial["number"], trial["token"], float("nan"))
    assert hoptim.load(folder).status().failed == 1


def test_a_remote_loop_may_be_synchronous_and_on_one_host(folder, monkeypatch):
    """What a process may ask of a study, a remote loop may, too, also where locks do not reach far."""

    def refuse(path):
        raise hoptim.StoreError("locks do not reach other machines")

    trial = remote.ask(folder)
    monkeypatch.setattr(mounts, "require_shared_locks", refuse)
    hands = [trial, *(remote.ask(folder, single_host=True, synchronous=True) for _ in range(3))]
    with pytest.raises(hoptim.NothingDue):
        remote.ask(folder, timeout=0, single_host=True, synchronous=True)
    for trial in hands:
        lock._registry.clear()  # as in processes of their own
        with pytest.raises(hoptim.StoreError):
            remote.tell(folder, trial["number"], trial["token"], 1.0)
        remote.beat(folder, trial["number"], trial["token"], single_host=True)
        remote.tell(folder, trial["number"], trial["token"], 1.0, single_host=True)
    trial = remote.ask(folder, single_host=True)
    remote.fail(folder, trial["number"], trial["token"], "x", single_host=True)
