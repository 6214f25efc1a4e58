"""`hoptim.run`: what it submits and when, how it ends, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import hoptim
from hoptim import _signals
from hoptim._signals import signals_deferred
from hoptim.launch import executors
from hoptim.launch import restarts as restarting
from hoptim.launch.failure import in_full, last_line
from hoptim.launch.processes import Processes
from hoptim.launch.restarts import Restarts
from hoptim.launch.slurm import Requeued
from tests import launched
from tests.builders import ROOT, records, run, study, wait_until


class Here:
    """An executor that calls at once, in this very thread."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def submit(self, call, *args):
        self.calls.append(call)
        future = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def at_once(monkeypatch):
    """Nobody waits to be started again, nor long between looks."""
    monkeypatch.setattr(restarting, "_FIRST", 0.0)
    monkeypatch.setattr(executors, "_PAUSES", (0.001, 0.005))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the study is, importable for spawned workers."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_a_study_in_memory_is_refused():
    """A study in memory has nothing that workers could share, and the error says what it needs."""
    with pytest.raises(hoptim.ArgumentError, match="give it a directory"):
        hoptim.run(launched.train, study(), 2, Here())


@pytest.mark.parametrize(
    "change", [{"train": 3}, {"study": "runs/x"}, {"workers": 0}, {"restarts": -1}, {"executor": object()}]
)
def test_arguments_that_cannot_work_are_refused(tmp_path, change):
    """Each wrong argument is named before anything is submitted."""
    good = {"train": launched.train, "study": launched.made(tmp_path), "workers": 1, "executor": Here()}
    with pytest.raises(hoptim.ArgumentError, match=next(iter(change))):
        hoptim.run(**{**good, **change})


def test_submissions_are_all_different(tmp_path):
    """No two submissions are equal, since Dask takes equal ones for the same task."""
    executor = Here()
    hoptim.run(launched.leave, launched.made(tmp_path), 3, executor)
    again = Here()
    hoptim.run(launched.leave, launched.made(tmp_path), 3, again)
    assert len({*executor.calls, *again.calls}) == 6
    assert [str(call) for call in again.calls] == [f"hoptim-worker-{i}" for i in range(3)]


def test_a_study_that_is_done_needs_no_workers(tmp_path):
    """Nothing is submitted once all is done."""
    made, executor = launched.made(tmp_path), Here()
    assert hoptim.run(launched.train, made, 1, executor).done
    assert hoptim.run(launched.train, made, 4, executor) is made
    assert len(executor.calls) == 1


def test_workers_that_return_are_not_submitted_again(tmp_path):
    """When every worker has returned `run` returns, though the study is not done."""
    executor = Here()
    assert not hoptim.run(launched.leave, launched.made(tmp_path), 2, executor).done
    assert len(executor.calls) == 2


@pytest.mark.usefixtures("at_once")
def test_an_error_that_repeats_is_raised(tmp_path, caplog):
    """Each worker is tried so often, then the error is raised, chained to the workers' own."""
    executor = Here()
    with pytest.raises(
        hoptim.WorkersFailed, match=r"2 of 2 workers .* ValueError: there is no GPU"
    ) as raised:
        hoptim.run(launched.fail, launched.made(tmp_path), 2, executor, restarts=3)
    assert isinstance(raised.value.__cause__, ValueError)
    assert len(executor.calls) == 2 * 4
    assert caplog.messages[-1] == "Worker 1 failed and is given up: ValueError: there is no GPU here"


@pytest.mark.usefixtures("at_once")
def test_a_worker_given_up_is_no_error_of_a_study_that_gets_done(tmp_path):
    """One worker fails for good, another trains to the end: the study is returned."""

    def one_fails(study: hoptim.Study) -> None:
        (launched.fail if len(executor.calls) == 1 else launched.train)(study)

    executor = Here()
    assert hoptim.run(one_fails, launched.made(tmp_path), 2, executor, restarts=0).done


@pytest.mark.usefixtures("at_once")
def test_a_study_whose_trials_all_fail_is_an_error(tmp_path):
    """Every trial failed for good, so the study is done, and `run` raises what the loop would."""
    with pytest.raises(hoptim.StudyFailed, match="no GPU"), ThreadPoolExecutor() as threads:
        hoptim.run(launched.fail_in_trials, launched.made(tmp_path), 2, threads)


@pytest.mark.usefixtures("at_once")
def test_recorded_failures_cost_no_restarts(tmp_path):
    """A third of the space raises, which ends a worker each time: all 48 trials end, none is given up."""
    made = study(tmp_path / "s", size=8, steps=6)
    assert hoptim.run(launched.raise_in_some, made, 2, Here(), restarts=0).done
    assert len(made.trials) == 48
    raised = [trial for trial in made.trials if trial.params["x"] > 0.7]
    assert raised == [trial for trial in made.trials if trial.failed is not None]
    assert {trial.attempt for trial in raised} == {3}


def test_a_trial_that_kills_its_processes_is_marked_failed(folder, monkeypatch):
    """Processes of this machine die in one trial, which fails after `max_deaths`; the rest is trained."""
    monkeypatch.setattr(restarting, "_FIRST", 0.0)
    made = study(folder / "s", size=4, steps=2, max_deaths=2)
    assert hoptim.run(launched.die_in_one, made, 1, restarts=0).done
    assert [(t.member, t.step) for t in made.trials if t.failed] == [(1, 0)]
    assert len([record for record in records(folder / "s") if record.get("died")]) == 2


def test_an_error_after_the_end_is_said(tmp_path, caplog):
    """What goes wrong behind a worker's loop is a warning, for the study is done."""

    def late(study: hoptim.Study) -> None:
        launched.train(study)
        raise ValueError("no report")

    assert hoptim.run(late, launched.made(tmp_path), 1, Here()).done
    assert caplog.messages == ["Worker 0 failed after the study was done: ValueError: no report"]


def test_an_executor_that_takes_no_more_is_an_error(tmp_path):
    """A pool that is broken or closed ends `run` with an error of hoptim's that names its own."""
    with ThreadPoolExecutor() as threads:
        pass
    with pytest.raises(hoptim.WorkersFailed, match="takes no more workers: RuntimeError") as raised:
        hoptim.run(launched.train, launched.made(tmp_path), 1, threads)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_a_look_that_fails_ends_no_workers(tmp_path, monkeypatch):
    """A study that cannot be read for a moment is looked at again; its workers train on."""
    done, errors = hoptim.Study.done, [hoptim.StoreError(5, "The disk is gone.")] * 3

    def look(study: hoptim.Study) -> bool:
        if errors:
            raise errors.pop()
        return bool(done.fget(study))

    made = launched.made(tmp_path)
    monkeypatch.setattr(hoptim.Study, "done", property(look))
    with ThreadPoolExecutor() as threads:
        assert hoptim.run(launched.train, made, 2, threads).done
    assert errors == []


def test_restarts_are_bounded_and_wait_ever_longer():
    """1, 2, 4 .. 60 seconds, then never; whoever worked long begins anew."""
    restarts = Restarts(8)
    assert [restarts.delay(1.0) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, None]
    assert restarts.delay(600.0) == 1
    assert restarts.delay(599.0) == 2
    assert Restarts(0).delay(1.0) is None


@pytest.mark.usefixtures("at_once")
def test_restarts_begin_anew_while_the_study_comes_on(tmp_path, monkeypatch):
    """Long work counts as a good start only if the study has come on: a job may have waited in a queue."""
    monkeypatch.setattr(restarting, "_STEADY", 1e-9)
    executor = Here()
    assert hoptim.run(launched.tell_one_and_fail, launched.made(tmp_path), 1, executor, restarts=1).done
    assert len(executor.calls) == launched.SIZE * launched.STEPS
    idle = Here()
    with pytest.raises(hoptim.WorkersFailed):
        hoptim.run(launched.fail, launched.made(tmp_path / "other"), 1, idle, restarts=1)
    assert len(idle.calls) == 2


def test_errors_are_told_as_they_are():
    """An error's name and words, its name alone without words, our own without a name."""
    assert in_full(ValueError("x")) == "ValueError: x"
    assert in_full(ValueError()) == "ValueError"
    assert in_full(hoptim.WorkersFailed("It ended.")) == "It ended."
    assert last_line(hoptim.WorkersFailed("It ended.\nBadly.")) == "Badly."
    assert last_line(RuntimeError("In a job:\n----\nValueError: x\n----\nSee the log at:\n - log")) == (
        "ValueError: x"
    )


def test_a_requeued_call_is_the_same_call(tmp_path):
    """What submitit is given at a preemption is the very call, to be made again."""
    pytest.importorskip("submitit", reason="needs hoptim[slurm]")
    call = Requeued(launched.train)
    again = call.checkpoint("study", more=1)
    assert (again.function, again.args, again.kwargs) == (call, ("study",), {"more": 1})


def test_a_preemption_waits_for_the_store(monkeypatch):
    """A handler that ends the process is called only after the store operation it came in."""
    came = []
    before = signal.signal(signal.SIGUSR2, lambda *_: came.append("handled"))

    def train() -> None:
        with signals_deferred():
            os.kill(os.getpid(), signal.SIGUSR2)
            came.append("stored")

    monkeypatch.setattr(_signals, "_theirs", dict(_signals._theirs))
    try:
        Requeued(train)()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert came == ["stored", "handled"]


# -- this machine's processes --------------------------------------------------------------------------


@pytest.mark.usefixtures("at_once")
def test_an_error_in_a_process_comes_with_its_traceback(folder, caplog):
    """The traceback of the worker is the cause's text, and is logged in full only once."""
    with pytest.raises(hoptim.WorkersFailed, match="ValueError: there is no GPU here") as raised:
        hoptim.run(launched.fail, launched.made(folder), 2, restarts=1)
    assert "in fail\n" in str(raised.value.__cause__)
    assert "Traceback" not in str(raised.value)
    assert sum("Traceback" in message for message in caplog.messages) == 1
    assert len(caplog.messages) == 4


def test_what_cannot_be_sent_is_refused(folder):
    """A function that no other process can import is an error that says what to do."""
    with pytest.raises(hoptim.ArgumentError, match="at the top level of a module"):
        hoptim.run(lambda study: None, launched.made(folder), 1)


@pytest.mark.usefixtures("hang_up_arrives")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_signal_stops_this_machines_workers(tmp_path, number, status):
    """Ctrl-C, SIGTERM and SIGHUP: the workers hand back their trials in silence, then it passes on."""
    made = launched.made(tmp_path, gate=True)
    runner = run("launched.py", "run", tmp_path, 2)
    wait_until(lambda: len(launched.holders(made)) == 2, launched.LIMIT)
    workers = launched.holders(made)
    if number == signal.SIGINT:  # a terminal sends it to all
        for pid in workers:
            os.kill(pid, number)
    runner.send_signal(number)
    _, errors = runner.communicate(timeout=launched.LIMIT)
    assert runner.returncode == status
    assert errors.count("Traceback") == (number == signal.SIGINT)
    assert_released(tmp_path, 2)


def test_workers_of_a_killed_parent_end_by_themselves(tmp_path):
    """When the launching process is killed, its workers hand back their trials and end."""
    made = launched.made(tmp_path, gate=True)
    runner = run("launched.py", "run", tmp_path, 2)
    wait_until(lambda: len(launched.holders(made)) == 2, launched.LIMIT)
    runner.kill()
    runner.communicate(timeout=launched.LIMIT)  # their copies of its output are closed too
    assert_released(tmp_path, 2)


def assert_released(folder, count):
    """So many trials were handed back, and no worker is left."""
    assert [record["op"] for record in records(folder / "study")].count("release") == count
    assert list((folder / "study" / "workers").iterdir()) == []


def test_a_worker_that_does_not_stop_is_killed(folder, monkeypatch):
    """A process that ignores SIGTERM is killed when the time is up."""
    monkeypatch.setattr("hoptim.launch.processes._STOP_WITHIN", 0.1)
    with pytest.raises(KeyError), Processes() as processes:
        process = processes.submit(launched.ignore_sigterm, folder)
        wait_until((folder / "ignores").exists)
        raise KeyError
    with pytest.raises(hoptim.WorkersFailed, match="was killed by SIGKILL"):
        process.result()


def test_a_script_without_its_guard_is_told_so(tmp_path):
    """A script that launches while it is imported fails once, with a message that says why."""
    script = tmp_path / "script.py"
    script.write_text(
        "import hoptim\nfrom tests import launched\nfrom pathlib import Path\n"
        f"hoptim.run(launched.train, launched.made(Path({str(tmp_path)!r})), 1, restarts=0)\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=launched.LIMIT,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "before it began to train" in ran.stderr
    assert "hoptim.run was called while a worker imported the script" in ran.stderr
    assert "`if __name__ == '__main__':`" in ran.stderr


NOTEBOOK = """
import sys
from functools import partial
import hoptim

class Rule:
    def told(self, trial): ...

def train(study): ...

def own(study, rule): ...

study = hoptim.Study(sys.argv[1], space={"x": hoptim.Float(0.0, 1.0)}, size=8, steps=1, mode="min", WITH)
hoptim.run(CALL, study, workers=8)
"""


@pytest.mark.parametrize(
    ("call", "options", "name"),
    [
        ("train", "", "train"),
        ("partial(own, rule=Rule())", "", "own, Rule"),
        ("launched.train", "callbacks=[Rule()]", "Rule"),
    ],
)
@pytest.mark.parametrize("prompt", [["-c"], ["-"]])
def test_what_a_notebook_defines_is_said_before_anything_starts(tmp_path, prompt, call, options, name):
    """A function in no file, as in a notebook's cell, is one error with what to do, not one a worker."""
    code = "from tests import launched\n" + NOTEBOOK.replace("CALL", call).replace("WITH", options)
    words, text = ([*prompt, code], "") if prompt == ["-c"] else (prompt, code)
    ran = subprocess.run(
        [sys.executable, *words, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)}, input=text,
        capture_output=True, text=True, check=False, timeout=launched.LIMIT,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.count("Traceback") == 1
    assert f"ArgumentError: {name} cannot be sent to a worker" in ran.stderr.splitlines()[-1]
    assert "%%writefile" in ran.stderr
    assert [record["op"] for record in records(tmp_path)] == ["create"]
    assert not (tmp_path / "workers").exists() or not list((tmp_path / "workers").iterdir())


def test_what_is_in_a_file_is_sent_from_a_prompt(tmp_path):
    """A notebook that imports its function from a file launches it."""
    code = (
        "import sys, hoptim\nfrom pathlib import Path\nfrom tests import launched\n"
        "print(hoptim.run(launched.train, launched.made(Path(sys.argv[1])), workers=2).done)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=launched.LIMIT,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("True\n", "")
