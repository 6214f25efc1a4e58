"""Workers that die, stop and come back, as real processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import hoptim
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.process_identity import ProcessIdentity
from hoptim.store.published import Published
from tests import reader
from tests.builders import ROOT, acknowledged, append, chaos, loss, records, run, saving, study, wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="deaths are proven by /proc")


@pytest.fixture
def place(tmp_path):
    """Folders of a study, of what its workers saw acknowledged, and of what holds them in a trial."""
    found = SimpleNamespace(study=tmp_path / "study", acks=tmp_path / "acks", hold=tmp_path / "hold")
    found.acks.mkdir()
    found.hold.mkdir()
    (found.hold / "1").touch()
    return found


def start(place: SimpleNamespace, **environment: str) -> subprocess.Popen[str]:
    """A worker that stays in its first trial, once it is there."""
    worker = run("train.py", place.study, place.acks, HOLD=str(place.hold), **environment)
    wait_until(lambda: any(half.stat().st_size for half in place.study.glob("scratch/*-0/half")))
    return worker


def claims(folder: Path) -> list[str]:
    """Who asked for a trial so far, in the journal that somebody may be writing at the moment."""
    try:
        return [record["worker"] for record in records(folder) if record["op"] == "ask"]
    except (OSError, ValueError):
        return []


def claims_of(worker: subprocess.Popen[str], folder: Path) -> list[str]:
    """The names under which a process asked for a trial so far."""
    return [name for name in claims(folder) if name.split(".")[1] == str(worker.pid)]


def next_of(made: hoptim.Study, number: int) -> hoptim.Trial:
    """A trial that somebody else holds at first; all others that come along are told."""
    while (trial := made.ask(timeout=60)) and trial.number != number:
        trial.tell(loss(trial), save=saving(f"weights of {trial.number}"))
    assert trial is not None
    return trial


def stopped_for_too_long(place: SimpleNamespace) -> subprocess.Popen[str]:
    """A worker of another host that lost its trial 0 while it was stopped, and still is stopped."""
    worker = start(place, LEASE="0.5", ELSEWHERE="1")
    worker.send_signal(signal.SIGSTOP)
    trial = next_of(study(place.study, steps=8, lease=0.5), 0)
    trial.tell(loss(trial), save=saving("weights of 0"))
    return worker


def test_a_worker_stopped_beyond_its_lease_loses_its_trial_and_goes_on(place):
    """Back from a long stop it is told that its claim is lost, publishes nothing, and trains on."""
    worker = stopped_for_too_long(place)
    (place.hold / "1").unlink()
    worker.send_signal(signal.SIGCONT)
    out, errors = worker.communicate(timeout=60)
    assert (worker.returncode, out) == (0, "lost 0\n"), errors
    wrong, places = reader.judge(place.study / "journal.jsonl", acknowledged(place.acks))
    assert (wrong, places) == ([], [(member, step) for member in range(4) for step in range(8)])
    assert acknowledged(place.acks)
    assert [r["token"] for r in records(place.study) if r["op"] == "reclaim"] == [1]
    assert list((place.study / "checkpoints").glob("*0.1")) == []


def test_a_worker_that_came_back_shows_signs_of_life_again(place):
    """Whoever was taken for dead and was not is seen alive in its next trial."""
    worker = stopped_for_too_long(place)
    (name,) = claims_of(worker, place.study)
    assert not (place.study / "workers" / name).exists()
    (place.hold / "2").touch()
    (place.hold / "1").unlink()
    worker.send_signal(signal.SIGCONT)
    try:
        wait_until(lambda: len(claims_of(worker, place.study)) == 2)
        wait_until((place.study / "workers" / claims_of(worker, place.study)[-1]).exists)
    finally:
        worker.kill()
        worker.communicate()


def test_what_a_killed_worker_left_in_scratch_is_there_for_the_next(place):
    """The folder `scratch` goes from a killed worker to the next one of the same trial, then away."""
    worker = start(place)
    worker.kill()
    worker.communicate()
    trial = next_of(study(place.study, steps=8), 0)
    assert (trial.scratch / "half").read_text() == "half of 0"
    trial.tell(loss(trial), save=saving("weights of 0"))
    assert not list(place.study.glob("scratch/*-0"))


def test_deaths_and_failures_are_counted_apart(place):
    """A kill is an interruption, an error an attempt; a trial may have both."""
    worker = start(place, SIZE="1")
    worker.kill()
    worker.communicate()
    made = study(place.study, size=1, steps=8)
    trial = next_of(made, 0)
    assert trial.attempt == 1
    trial.fail("boom")
    trial = next_of(made, 0)
    assert trial.attempt == 2
    trial.tell(1.0)
    assert [(t.attempt, t.interruptions) for t in made.trials] == [(2, 1)]
    ops = ["create", "ask", "reclaim", "ask", "fail", "ask", "tell"]
    assert [r["op"] for r in records(place.study)] == ops


def test_a_study_whose_workers_all_die_fails_with_the_reason(place):
    """A trial that takes its workers along fails for good, and the study with it says why."""
    for _ in range(2):
        worker = start(place, SIZE="1", STEPS="1")
        worker.kill()
        worker.communicate()
        shutil.rmtree(place.study / "scratch")
    made = study(place.study, size=1, steps=1, max_interruptions=2)
    with pytest.raises(hoptim.StudyFailed, match=r"lost with its worker .* too often"):
        made.ask(timeout=60)
    assert [r.get("final") for r in records(place.study) if r["op"] == "reclaim"] == [False, True]


@pytest.mark.parametrize("cleared", ["before it is written", "after it is written", "never"])
def test_a_claim_lost_while_saving_is_said_to_be_lost(tmp_path, cleared):
    """When whoever takes a trial back clears its draft away, the saver hears of the claim, not of files."""
    trial = study(tmp_path).ask()

    def save(path: str) -> None:
        Path(path).mkdir()
        append(tmp_path, {"op": "reclaim", "trial": 0, "token": 1, "final": False})
        if cleared != "never":
            os.rmdir(path)
        if cleared != "after it is written":
            (Path(path) / "weights").write_text("x")

    with pytest.raises(hoptim.ClaimLost):
        trial.tell(1.0, save=save)
    assert os.listdir(tmp_path / "checkpoints") == []


def test_a_claim_lost_while_publishing_leaves_nothing(tmp_path, monkeypatch):
    """A checkpoint that was published just when the claim was lost goes again; no tell names it."""
    publish = Checkpoints.publish

    def slowly(self: Checkpoints, draft: Draft) -> Published:
        published: Published = publish(self, draft)
        append(tmp_path, {"op": "reclaim", "trial": draft.number, "token": draft.token, "final": False})
        return published

    monkeypatch.setattr(Checkpoints, "publish", slowly)
    with pytest.raises(hoptim.ClaimLost):
        study(tmp_path).ask().tell(1.0, save=saving("x"))
    assert os.listdir(tmp_path / "checkpoints") == []


def hold_one(shared: hoptim.Study) -> None:
    """What a child does that is killed in its first trial."""
    shared.ask()
    signal.pause()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_trial_of_a_killed_child_comes_back_to_its_parent(tmp_path, method):
    """A forked or spawned child that is killed is dead to its parent too, which goes on at once."""
    shared = study(tmp_path / "study", size=2)
    held = shared.ask()
    child = multiprocessing.get_context(method).Process(target=hold_one, args=(shared,))
    child.start()
    wait_until(lambda: len(claims(tmp_path / "study")) == 2)
    child.kill()
    trial = shared.ask(timeout=60)
    assert (held.number, trial.number) == (0, 1)
    held.tell(0.5)
    trial.tell(0.5)
    assert [t.interruptions for t in shared.trials] == [0, 1]


def can_make_a_pid_namespace() -> bool:
    """Whether this process may start another in a pid namespace of its own."""
    return shutil.which("unshare") is not None and not subprocess.call(
        ["unshare", "-p", "-f", "--mount-proc", "true"], stderr=subprocess.DEVNULL
    )


def test_a_pid_of_another_namespace_proves_nothing(place):
    """A worker in a container lives though its pid is another process's here; its lease decides."""
    if not can_make_a_pid_namespace():
        pytest.skip("needs unshare and the right to make a pid namespace")
    script = [sys.executable, str(ROOT / "tests" / "train.py"), str(place.study), str(place.acks)]
    there = {"SIZE": "1", "LEASE": "1", "HOLD": str(place.hold), "PYTHONPATH": str(ROOT)}
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    container = subprocess.Popen([*unshare, *script], env={**os.environ, **there}, text=True)
    try:
        wait_until(lambda: any(half.stat().st_size for half in place.study.glob("scratch/*-0/half")))
        (path,) = (place.study / "workers").iterdir()
        found = json.loads(path.read_text())
        assert found.pop("lease") == 1.0
        assert found["pid"] == 1
        assert ProcessIdentity(**found).lives() is None
        misleading = {**found, "space": ProcessIdentity.mine().space}
        assert ProcessIdentity(**misleading).lives() is False
        made = study(place.study, size=1, steps=8, lease=1)
        with pytest.raises(hoptim.NothingDue):
            made.ask(timeout=0.5)
    finally:
        container.kill()
        container.wait()
    assert made.ask(timeout=60).number == 0


def test_sixteen_workers_under_random_kills_and_stops_keep_every_promise():
    """No step lost or doubled, no checkpoint broken or left, no claim or life misjudged."""
    report = chaos(workers=16, members=16, steps=40, faults=30, lease=0.7, seed=1)
    assert (report["steps"], report["recomputed"]) == (16 * 41, 16 * 41)
    assert report["kills"] + report["stops"] == 30
    assert min(report["kills"], report["stops"]) >= 7


def test_lookers_forks_and_twice_tellers_beside_workers_under_kills_and_stops():
    """Looks and forks find whole checkpoints; of a trial told by two, one value is recorded and kept."""
    report = chaos(workers=4, members=6, steps=25, faults=8, lease=0.5, beside=1)
    assert {"looked", "forked", "twice", "told", "refused"} <= report["beside"].keys()


def test_a_waiting_worker_soon_gets_the_trial_of_a_killed_one():
    """A death on the same host is noticed at once, which means long before any lease is over."""
    out, errors = run("chaos.py", "--deaths", 3).communicate(timeout=120)
    report = json.loads(out)
    assert report["deaths"] == 3, errors
    assert report["max"] < 20
