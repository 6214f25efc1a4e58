"""Real processes on one directory: killed, stopped politely, forked and spawned."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

import hoptim
from tests import builders, reader
from tests.builders import acknowledged, finish, recompute, run, study, wait_until


@pytest.fixture
def acks(tmp_path):
    """Where workers note what was acknowledged to them."""
    folder = tmp_path / "acks"
    folder.mkdir()
    return folder


def ops_so_far(folder: Path) -> list[str]:
    """The ops of a journal that somebody may be writing at the moment."""
    try:
        return [record["op"] for record in builders.records(folder)]
    except (OSError, ValueError):
        return []


def is_done(folder: Path) -> bool:
    """Whether the study in a folder is done."""
    return hoptim.load(folder).done


@pytest.mark.parametrize("phase", ["train", "save", "published", "unwritten", "torn", "unsynced", "told"])
def test_a_worker_killed_in_a_phase_loses_nothing(tmp_path, acks, phase):
    """Wherever a lone worker is killed, the next one finishes without losing or doubling a step."""
    folder = tmp_path / "study"
    for count in (1, 6):
        worker = run("train.py", folder, acks, phase, count)
        worker.communicate(timeout=60)
        assert worker.returncode == -signal.SIGKILL
    last = run("train.py", folder, acks)
    _, errors = last.communicate(timeout=60)
    assert (last.returncode, "Traceback" in errors) == (0, False), errors
    wrong, places = reader.judge(folder / "journal.jsonl", acknowledged(acks))
    assert wrong == []
    assert places == [(member, step) for member in range(4) for step in range(8)]
    assert recompute(folder) == 32
    left = {path.name for path in (folder / "checkpoints").iterdir()}
    assert left == {Path(t.checkpoint).name for t in hoptim.load(folder).trials if t.checkpoint}


def test_four_workers_killed_at_random_lose_nothing(tmp_path, acks):
    """Four workers under random SIGKILL do every step once and keep every acknowledged value."""
    folder, rng = tmp_path / "study", random.Random(1)
    workers = [run("train.py", folder, acks, STEPS="40") for _ in range(4)]
    wait_until((folder / "study.json").exists)
    kills = 0
    while kills < 12 and not is_done(folder):
        told = len(acknowledged(acks))
        wait_until(lambda told=told: len(acknowledged(acks)) >= told + 4 or is_done(folder))
        time.sleep(rng.uniform(0, 0.01))  # only spreads the moment; nothing depends on it
        i = rng.randrange(4)
        workers[i].kill()
        workers[i].communicate()
        kills += 1
        workers[i] = run("train.py", folder, acks, STEPS="40")
    finish(workers)
    wrong, places = reader.judge(folder / "journal.jsonl", acknowledged(acks))
    assert wrong == []
    assert places == [(member, step) for member in range(4) for step in range(40)]
    assert kills >= 5
    assert recompute(folder) == 160


def test_a_killed_workers_trial_is_taken_back_as_it_was(tmp_path, acks):
    """The next worker gets the very trial of the one that was killed, counted as interrupted."""
    folder = tmp_path / "study"
    worker = run("train.py", folder, acks, PAUSE="600")
    wait_until(lambda: ops_so_far(folder) == ["create", "ask"])
    worker.kill()
    worker.communicate()
    lost = builders.records(folder)[1]
    trial = study(folder, steps=8).ask(timeout=10)
    assert (trial.number, trial.params, trial.attempt) == (lost["trial"], lost["params"], 1)
    ops = [record["op"] for record in builders.records(folder)]
    assert ops == ["create", "ask", "reclaim", "ask"]
    trial.tell(1.0)
    assert hoptim.load(folder).trials[0].interruptions == 1


def test_sigterm_releases_at_once(tmp_path, acks):
    """A worker asked to stop hands its trial back before it exits, with the usual exit code."""
    folder = tmp_path / "study"
    worker = run("train.py", folder, acks, PAUSE="600")
    wait_until(lambda: ops_so_far(folder) == ["create", "ask"])
    worker.terminate()
    worker.communicate(timeout=20)
    assert worker.returncode == 128 + signal.SIGTERM
    assert [record["op"] for record in builders.records(folder)] == ["create", "ask", "release"]
    assert list((folder / "workers").iterdir()) == []


def child(shared: hoptim.Study) -> None:
    """What forked and spawned processes do with a study that was given to them."""
    for trial in shared:
        trial.tell(builders.loss(trial))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_study_is_shared_by_forked_and_spawned_processes(tmp_path, method):
    """A study handed to children works in each of them and in the parent that trained before."""
    shared = study(tmp_path / "study")
    held = shared.ask()
    context = multiprocessing.get_context(method)
    children = [context.Process(target=child, args=(shared,)) for _ in range(3)]
    for process in children:
        process.start()
    wait_until(lambda: len(shared.trials) >= 3)
    held.tell(0.5)
    for process in children:
        process.join(60)
    assert [process.exitcode for process in children] == [0, 0, 0]
    wrong, places = reader.judge(tmp_path / "study" / "journal.jsonl", [(held.number, 0.5)])
    assert (wrong, len(places)) == ([], 20)
    workers = {trial.worker for trial in shared.trials}
    assert str(os.getpid()) in {worker.split(".")[1] for worker in workers}
    assert len(workers) >= 2


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_continue_its_parents_weights(tmp_path):
    """A child's first trial never continues what only its parent told, and stays the parent's own."""
    shared = study(tmp_path / "study", size=1)
    shared.ask().tell(1.0)
    pid = os.fork()
    if pid == 0:
        trial = shared.ask()
        os._exit(0 if trial.parent == 0 and not trial.continues else 1)
    assert os.waitpid(pid, 0)[1] == 0
    trial = shared.ask(timeout=20)
    assert (trial.number, trial.continues) == (1, True)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_outlives_its_parent(tmp_path):
    """A child that waits for a trial of the parent it was forked from gets it when that is killed."""
    told, tell = os.pipe()
    parent = os.fork()
    if parent == 0:
        shared = study(tmp_path / "study", size=1, steps=1)
        held = shared.ask()
        if os.fork() == 0:
            os.write(tell, b"x")
            for trial in shared:
                trial.tell(float(trial.number == held.number))
            os._exit(0)
        signal.pause()
    assert os.read(told, 1) == b"x"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_until(lambda: is_done(tmp_path / "study"))
    assert [t.value for t in hoptim.load(tmp_path / "study").trials] == [1.0]


def test_a_child_forked_while_the_lock_is_held_begins_anew(tmp_path):
    """It writes its own records alone, not those that its parent has decided on and not yet written."""
    children = []

    def keep(finished):  # called under the lock, with a record that is not written
        if not children:
            children.append(os.fork())
            if not children[0]:
                made.ask(timeout=30).tell(0.5, save=builders.saving("child"))
                os._exit(0)
        return False

    made = study(tmp_path / "s", size=2, steps=6, keep=keep)
    for _ in range(6):
        made.ask(timeout=30).tell(0.5, save=builders.saving("parent"))
    assert os.waitpid(children[0], 0)[1] == 0
    assert len(made.trials) == 7
    assert list((tmp_path / "s").glob("*.torn-*")) == []
    assert made.check().ok
