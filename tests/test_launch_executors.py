"""The same training function through every launcher, whose workers are killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hoptim
from hoptim.launch import restarts
from tests import launched
from tests.builders import ROOT, records, wait_until

WORKERS, KILLS = 3, 3


@contextmanager
def processes(folder: Path) -> Iterator[Any]:
    """This machine's processes, the default."""
    yield None


@contextmanager
def submitit(folder: Path) -> Iterator[Any]:
    """Jobs of submitit on this machine."""
    package = pytest.importorskip("submitit", reason="needs hoptim[slurm]")
    executor = package.AutoExecutor(folder=folder / "jobs", cluster="local")
    executor.update_parameters(timeout_min=10)
    local, controllers = package.local.local, []

    def started(*args: Any, **options: Any) -> Any:
        controllers.append(start(*args, **options))
        return controllers[-1]

    with pytest.MonkeyPatch.context() as patch:
        start = local.start_controller
        patch.setattr(local, "start_controller", started)
        # seconds that it looks for what a lost job may have left
        patch.setattr(local.LocalJob, "_results_timeout_s", 0)
        yield executor
    for process in controllers:  # a job's result is there a moment before its controller ends
        process.wait(launched.LIMIT)


@contextmanager
def dask(folder: Path) -> Iterator[Any]:
    """A Dask cluster of processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="needs hoptim[dask]")
    where = {"dashboard_address": None, "local_directory": folder / "dask"}
    with (
        distributed.LocalCluster(n_workers=WORKERS, threads_per_worker=1, **where) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def ray(folder: Path) -> Iterator[Any]:
    """A Ray on this machine."""
    package = pytest.importorskip("ray", reason="needs hoptim[ray]")
    from hoptim.launch.ray import RayExecutor

    package.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    try:
        yield RayExecutor()
    finally:
        package.shutdown()


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers find this repository; nobody waits long to be started again."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(restarts, "_FIRST", 0.05)


@pytest.mark.filterwarnings("ignore::Warning:distributed", "ignore::Warning:ray", "ignore::ResourceWarning")
@pytest.mark.parametrize("launcher", [processes, submitit, dask, ray])
def test_killed_workers_cost_nothing_with_any_launcher(tmp_path, launcher):
    """Three workers are killed with a trial in hand; the study ends with every step trained once."""
    study = launched.made(tmp_path, gate=True)
    with launcher(tmp_path) as executor, ThreadPoolExecutor(1) as killer:
        killed = killer.submit(launched.kill_some, tmp_path, KILLS)
        assert hoptim.run(launched.train, study, WORKERS, executor) is study
        assert len(set(killed.result())) == KILLS
    assert study.done
    launched.assert_complete(tmp_path)
    reclaimed = [record for record in records(tmp_path / "study") if record["op"] == "reclaim"]
    assert 1 <= len(reclaimed) <= KILLS


def test_a_preempted_job_is_queued_again(tmp_path):
    """On submitit's signal a job hands its trial back, and the same job trains on to the end."""
    study = launched.made(tmp_path, gate=True)
    with submitit(tmp_path) as executor:
        job = executor.submit(hoptim.launch.slurm.Requeued(launched.train), study)
        wait_until(lambda: launched.holders(study), launched.LIMIT)
        (first,) = launched.holders(study)
        os.kill(first, signal.SIGUSR2)
        wait_until(lambda: launched.holders(study) - {first}, launched.LIMIT)
        (tmp_path / launched.GATE).unlink()
        job.result()
    launched.assert_complete(tmp_path)
    ops = [record["op"] for record in records(tmp_path / "study")]
    assert (ops.count("release"), ops.count("reclaim")) == (1, 0)
    assert len(list((tmp_path / "acks").iterdir())) == 2
    assert "Requeued job" in job.stderr() + job.stdout()


def test_a_preempted_worker_of_run_is_queued_again(tmp_path):
    """What `hoptim.run` submits is queued again by submitit itself, without a restart."""
    study = launched.made(tmp_path, gate=True)

    def preempt() -> None:
        wait_until(lambda: launched.holders(study), launched.LIMIT)
        for pid in launched.holders(study):
            os.kill(pid, signal.SIGUSR2)
        (tmp_path / launched.GATE).unlink()

    with submitit(tmp_path) as executor, ThreadPoolExecutor(1) as threads:
        preempted = threads.submit(preempt)
        hoptim.run(launched.train, study, 1, executor, restarts=0)
        preempted.result()
    launched.assert_complete(tmp_path)
