"""What the tests of launching let workers do.

Also a script: `train`, `die`, `hold`, `run DIR N`, `command DIR N WORDS`, `exec WORDS`.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from pathlib import Path

import hoptim
from hoptim.launch.command import run_command
from tests.builders import acknowledged, loss, recompute, saving, study, wait_until
from tests.reader import judge

SIZE, STEPS, LIMIT = 4, 8, 120.0
GATE = "gate"  # while this file is beside the study, nobody ends the last step


def made(folder: Path, gate: bool = False) -> hoptim.Study:
    """The study that workers train, and the folder for what is acknowledged to them."""
    (folder / "acks").mkdir(parents=True, exist_ok=True)
    if gate:
        (folder / GATE).touch()
    return study(folder / "study", size=SIZE, steps=STEPS)


def train(study: hoptim.Study) -> None:
    """Train until all is done, noting what was acknowledged."""
    assert study.path is not None
    folder = Path(study.path).parent
    with (folder / "acks" / str(os.getpid())).open("a") as out:
        for trial in study:
            if trial.checkpoint is not None:
                assert Path(trial.checkpoint).read_text() == f"weights of {trial.parent}"
            if trial.step == STEPS - 1:
                wait_until(lambda: not (folder / GATE).exists(), LIMIT)
            value = loss(trial)
            text = f"weights of {trial.number}"
            trial.tell(value, save=saving(text))
            out.write(json.dumps([trial.number, value]) + "\n")
            out.flush()


def fail(study: hoptim.Study) -> None:
    """A mistake in a user's script."""
    raise ValueError("there is no GPU here")


def tell_one_and_fail(study: hoptim.Study) -> None:
    """A mistake behind every first trial."""
    for trial in study:
        trial.tell(loss(trial))
        fail(study)


def fail_in_trials(study: hoptim.Study) -> None:
    """A mistake that is recorded with each trial."""
    for trial in study:
        trial.fail("there is no GPU here", retry=False)


def raise_in_some(study: hoptim.Study) -> None:
    """Trials with a large x always raise, in a block that records it; the script ends with the error."""
    for trial in study:
        with trial:
            if trial.params["x"] > 0.7:
                raise ValueError("loss is not finite")
            trial.tell(loss(trial))


def die_in_one(study: hoptim.Study) -> None:
    """The first trial of member 1 always takes the worker's process along."""
    for trial in study:
        if (trial.member, trial.step) == (1, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        trial.tell(loss(trial), save=saving("weights"))


def hold(study: hoptim.Study) -> None:
    """Keep a trial in hand, also after Ctrl-C."""
    folder = Path(str(study.path)).parent
    signal.signal(signal.SIGINT, lambda *_: (folder / "once").touch())
    trial = study.ask()
    (folder / "up").touch()
    time.sleep(LIMIT)
    del trial


def leave(study: hoptim.Study) -> None:
    """Return before the study is done."""


def ignore_sigterm(folder: Path) -> None:
    """Not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "ignores").touch()
    time.sleep(LIMIT)


def holders(study: hoptim.Study) -> set[int]:
    """Processes that have a trial in hand."""
    workers = [trial.worker for trial in study._session.store.refresh().open.values() if trial.worker]
    return {int(worker.split(".")[1]) for worker in workers}


def kill_some(folder: Path, kills: int) -> list[int]:
    """Kill workers in the middle of a trial, one after another, then open the gate; who was killed."""
    seen, rng, killed = hoptim.load(folder / "study"), random.Random(0), list[int]()
    try:
        for _ in range(kills):
            wait_until(lambda: holders(seen) - set(killed), LIMIT)
            killed.append(rng.choice(sorted(holders(seen) - set(killed))))
            os.kill(killed[-1], signal.SIGKILL)
        return killed
    finally:
        (folder / GATE).unlink()


def assert_complete(folder: Path) -> None:
    """Every step was trained once, nothing acknowledged is lost, each proposal can be recomputed."""
    wrong, places = judge(folder / "study" / "journal.jsonl", acknowledged(folder / "acks"))
    assert wrong == []
    assert places == [(member, step) for member in range(SIZE) for step in range(STEPS)]
    assert recompute(folder / "study") == SIZE * STEPS
    left = hoptim.load(folder / "study").check()
    assert left.ok, str(left)


def main() -> None:
    """What this is as a script."""
    logging.basicConfig(format="%(message)s")
    match sys.argv[1:]:
        case ["train"]:
            train(hoptim.load(os.environ["HOPTIM_STUDY"]))
        case ["die"]:
            die_in_one(hoptim.load(os.environ["HOPTIM_STUDY"]))
        case ["hold"]:
            hold(hoptim.load(os.environ["HOPTIM_STUDY"]))
        case ["run", folder, workers]:
            hoptim.run(train, made(Path(folder)), workers=int(workers))
        case ["exec", *words]:
            os.execvp(words[0], words)
        case ["command", folder, workers, *words]:
            summary = run_command(Path(folder), words, int(workers))
            sys.stdout.writelines(f"{worker.ending}\n" for worker in summary.workers)
            sys.exit(summary.status)


if __name__ == "__main__":
    main()
