"""A sample of the faults of `tests/faults.py`, what must be found, and limits of the real system."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hoptim
from tests import builders, reader
from tests.builders import ROOT, loss, saving, study

resource = pytest.importorskip("resource", reason="limits are set as POSIX sets them")


def faults(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`tests/faults.py`, in a process of its own: it forks, and waits for whatever it forked."""
    script = ROOT / "tests" / "faults.py"
    ran = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode == 77:
        pytest.skip(ran.stdout.strip())
    return ran


def test_no_fault_loses_or_doubles_anything():
    """Killed, torn or failed at every kind of file call, studies go on and end as they should."""
    ran = faults("--sample")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout.splitlines()[-1].split()[0]) > 300


@pytest.mark.parametrize(
    ("mutant", "calls", "said"),
    [
        pytest.param("forget_ids", "close /study/journal", "AlreadyTold", marks=pytest.mark.slow),
        ("keep_state", "pwrite /study/journal", "StudyDamaged"),
        pytest.param("drop_early", "trash", "are lost", marks=pytest.mark.slow),
        pytest.param("say_nothing", "open /study/study.json", "OSError", marks=pytest.mark.slow),
    ],
)
def test_what_is_broken_is_found(mutant, calls, said):
    """Without a promise that hoptim keeps, some fault at the right calls is found to go wrong."""
    ran = faults("--scenario", "torn", "--only", calls, "--first", "--break", mutant)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert said in ran.stdout.splitlines()[0]


@contextmanager
def limited(kind: int, amount: int) -> Iterator[None]:
    """Lower a limit of this process for a while."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def goes_on(path: Path, trial: hoptim.Trial) -> None:
    """A trial that could not be told can be now, and the study goes on to its end."""
    trial.tell(loss(trial), save=saving("weights"))
    builders.train(study(path), saves=True)
    wrong, places = reader.judge(path / "journal.jsonl", [(trial.number, loss(trial))])
    assert wrong == []
    assert places == [(member, step) for member in range(4) for step in range(5)]


def test_a_file_that_may_not_grow_is_an_error_that_can_be_cured(tmp_path):
    """A real limit on the size of files cuts an append short; it is taken back, and works later."""
    path = tmp_path / "study"
    trial = study(path).ask()
    size = (path / "journal.jsonl").stat().st_size
    with (
        limited(resource.RLIMIT_FSIZE, size + 20),
        pytest.raises(hoptim.StoreError, match="File too large") as caught,
    ):
        trial.tell(loss(trial))
    assert str(path / "journal.jsonl") in str(caught.value)
    assert (path / "journal.jsonl").stat().st_size == size
    goes_on(path, trial)


def test_no_descriptor_left_is_an_error_that_can_be_cured(tmp_path):
    """With a real limit on open files each call fails with path and cause, and works later."""
    path = tmp_path / "study"
    one = study(path)
    trial = one.ask()
    gc.collect()  # what earlier tests left would close files, and with them free descriptors, below
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    with limited(resource.RLIMIT_NOFILE, lowest):
        for call in (one.ask, lambda: trial.tell(loss(trial)), lambda: study(path), lambda: one.trials):
            with pytest.raises(hoptim.StoreError, match="Too many open files") as caught:
                call()
            assert str(path) in str(caught.value)
    goes_on(path, trial)


FRESH = """
import os, resource, sys
import hoptim
study, errors = hoptim.load(sys.argv[1]), 0
lowest = os.dup(0)
os.close(lowest)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for more in range(20):
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
    try:
        trial = study.ask()
        break
    except hoptim.StoreError:
        errors += 1
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
trial.tell(1.0)
print(errors)
"""


def test_no_descriptor_left_for_an_import_is_an_error_that_can_be_cured(tmp_path):
    """What is imported only when it is needed fails as any other file, with some descriptors or none."""
    study(tmp_path / "study")
    ran = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path / "study")],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 1
