"""The soak in small: a launcher and its workers on a small disk, under a few faults, and their judge."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.builders import ROOT, append, named, study
from tests.herd import save
from tests.notes import Notes
from tests.small_disk import may_mount
from tests.soak_train import value_of
from tests.soak_verdict import judge


@pytest.mark.skipif(not may_mount(), reason="mounting a small disk takes root and unshare")
def test_a_launcher_on_a_small_disk_loses_nothing_that_it_acknowledged():
    """Workers are killed and stopped and the disk fills: what was acknowledged is there, whole."""
    sizes = {
        "--workers": 3,
        "--members": 4,
        "--steps": 50,
        "--pause": 0.02,
        "--every": 0.15,
        "--lease": 0.5,
    }
    words = [*map(str, (word for pair in sizes.items() for word in pair)), "--faults", "6", "--seed", "51"]
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "soak.py"), *words],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    report = json.loads(ran.stdout)
    assert (report["wrong"], ran.returncode) == ([], 0), ran.stderr
    assert report["faults"] == {"kill": 3, "stop": 1, "fill": 1, "launcher": 1}
    assert report["launches"] == 2
    assert report["told"] >= report["acknowledged"] > 0


@pytest.fixture
def trained(tmp_path):
    """A study that is done, the notes of its worker, and the names of its checkpoints."""
    (tmp_path / "acks").mkdir()
    note = Notes(tmp_path / "acks" / "1")
    for trial in study(tmp_path / "study", size=2, steps=2):
        value = value_of(trial.params)
        trial.tell(value, save=partial(save, number=trial.number))
        note("told", trial.number, trial.token, value)
    assert found(tmp_path) == []
    return tmp_path


def found(folder: Path, places: int | None = 4) -> list[str]:
    """What the judge finds wrong."""
    return judge(folder / "study", folder / "acks", places)[1]


def test_the_judge_misses_a_told_value_and_a_token(trained):
    """An acknowledged value, or claim, that the journal does not have is wrong."""
    Notes(trained / "acks" / "2")("told", 0, 99, 7.0)
    gone = ["the told value of trial 0 is gone", "the told claim (0, 99, 7.0) is gone"]
    assert found(trained) == [f"study: {line}" for line in gone]


def test_the_judge_misses_checkpoints_and_parts_of_them(trained):
    """A checkpoint that is gone or was cut is wrong, so is a worker's error, and a step not done."""
    gone, cut = sorted((trained / "study" / "checkpoints").iterdir())[-2:]
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    part = cut / "a" if cut.is_dir() else cut
    part.write_bytes(part.read_bytes()[:-1])
    Notes(trained / "acks" / "2")("error", "Traceback")
    error, first, second, steps = found(trained, 5)
    assert (error, steps) == ("study: a worker ended with Traceback", "study: 4 of 5 steps are done")
    assert gone.name in first + second
    assert cut.name in first + second


def test_the_judge_recomputes_values(trained):
    """A value that is not that of the trial's hyperparameters is wrong."""
    ask = {"op": "ask", "trial": 4, "member": 0, "step": 2, "params": {"x": 0.5, "k": 1}, "worker": "a.1.0"}
    append(trained / "study", ask)
    token = json.loads((trained / "study" / "journal.jsonl").read_bytes().splitlines()[-1][9:])["n"]
    append(trained / "study", {"op": "tell", "trial": 4, "token": token, "value": 7.0, **named(4, token)})
    value, checkpoint = found(trained, 5)
    assert value == "study: the value of trial 4 is not that of its params"
    assert "cannot be read" in checkpoint
