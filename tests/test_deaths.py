"""Deaths of workers that a launcher saw: counted for the trial that they held, and for nothing else."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

import hoptim
from hoptim.options import START
from tests.builders import ROOT, records, study

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
STARTED = "0123abcd"


def dies(made: hoptim.Study, start: str = STARTED) -> int:
    """Let a process die with a trial in hand, under the identifier of a start; the trial's number."""
    pid = os.fork()
    if pid == 0:
        os.environ[START] = start
        _held = made.ask()
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    (trial,) = [t for t in made._session.store.refresh().open.values() if t.worker]
    return trial.number


def reclaims(made: hoptim.Study) -> list[tuple[bool, bool]]:
    """Of each reclaim whether it is a death, and whether it is final."""
    path = str(made.path)
    return [(r.get("died", False), r["final"]) for r in records(path) if r["op"] == "reclaim"]


def test_a_trial_fails_after_so_many_deaths(tmp_path):
    """The launcher's word takes the trial back at once; the third time it has failed."""
    made = study(tmp_path / "s")
    for _ in range(3):
        assert dies(made) == 0
        assert made.record_deaths(STARTED)
    assert reclaims(made) == [(True, False), (True, False), (True, True)]
    (failed,) = made.trials
    assert (failed.number, failed.failed) == (0, "ended the processes of 3 workers")
    assert os.listdir(tmp_path / "s" / "workers") == []
    assert made.ask().number == 1


def test_deaths_without_a_launcher_are_interruptions(tmp_path):
    """However often a trial's worker is killed, as long as no launcher says so it is handed out again."""
    made = study(tmp_path / "s", size=1, max_deaths=1, lease=1.0)
    for _ in range(4):
        assert dies(made) == 0
        made.ask(timeout=30).release()
    assert reclaims(made) == [(False, False)] * 4


def test_only_a_starts_own_dead_are_counted(tmp_path):
    """Neither a living worker of the start nor a dead one of another start is."""
    made = study(tmp_path / "s")
    dies(made, "ffffffff")
    assert not made.record_deaths(STARTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(START, STARTED)
        held = hoptim.load(tmp_path / "s").ask()
    assert not made.record_deaths(STARTED)
    assert reclaims(made) == [(False, False)]  # the other start's, taken back by the ask
    held.tell(1.0)


def test_a_launcher_learns_of_a_trial_that_others_took_back(tmp_path):
    """Where a waiting worker was quicker than the launcher, it stays an interruption of the trial."""
    made = study(tmp_path / "s", size=1, lease=1.0)
    dies(made)
    made.ask(timeout=30).tell(1.0)
    assert made.record_deaths(STARTED)
    assert reclaims(made) == [(False, False)]


@pytest.mark.parametrize("start", ["", "0123ABCD", "0123abc", "../0123abcd"])
def test_an_identifier_that_is_none_is_ignored(tmp_path, monkeypatch, start):
    """Whatever the environment holds, the name of a worker is one."""
    monkeypatch.setenv(START, start)
    made = study(tmp_path / "s")
    trial = made.ask()
    (worker,) = os.listdir(tmp_path / "s" / "workers")
    assert len(worker.split(".")[-1]) == 6
    trial.tell(1.0)


def test_a_study_of_format_1_counts_no_deaths(tmp_path):
    """Its records have no place for them, so they stay interruptions."""
    old = shutil.copytree(ROOT / "tests" / "golden" / "format1" / "stateful", tmp_path / "s")
    made = hoptim.load(old, max_deaths=1)
    before = reclaims(made)
    dies(made)
    assert made.record_deaths(STARTED)
    assert reclaims(made) == [*before, (False, False)]
