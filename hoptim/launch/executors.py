"""Workers of `hoptim.run`: calls of a training function, submitted to an executor."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from hoptim import _signals
from hoptim.errors import ArgumentError, StoreError, WorkersFailed
from hoptim.launch.failure import last_line
from hoptim.launch.processes import Processes
from hoptim.launch.records import Records
from hoptim.launch.slurm import Requeued
from hoptim.launch.supervisor import Future, Slot, Supervisor
from hoptim.options import START
from hoptim.study import Study

log = logging.getLogger("hoptim")

_PAUSES = (0.01, 0.5)  # seconds between looks at the workers: first and longest


class Executor(Protocol):
    """Anything that runs calls, on this machine or elsewhere."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future:
        """Run `fn(*args)` at some time, somewhere."""


@dataclass(frozen=True)
class Submission(Requeued):
    """A call to submit; no two are equal, else Dask would take them for one and the same task.

    Args:
        train: Training function of the user.
        number: Number of the worker.
        token: Identifier of this start.
    """

    number: int
    token: str

    def __str__(self) -> str:
        return f"hoptim-worker-{self.number}"


class LocalSubmission(Submission):
    """A call in a process of this machine, whose launcher sees its death."""

    def __call__(self, *args: Any, **named: Any) -> None:
        """Train, under the name of the start."""
        os.environ[START] = self.token
        super().__call__(*args, **named)


def train_with(
    executor: Executor | None, train: Callable[[Study], object], study: Study, workers: int, restarts: int
) -> None:
    """Train until the study is done, or no worker is left, as when it has stopped.

    Args:
        executor: Executor to submit calls to; None starts processes on this machine and leaves none.
        train: Training function.
        study: Study to train, on disk.
        workers: Number of workers.
        restarts: Restarts in a row after which a worker is given up.

    Raises:
        WorkersFailed: Workers were given up and the study is not done, or the executor takes no call.
        StudyFailed: Every member's last trial failed for good.
    """
    if executor is None:
        for number in _signals.STOPS:  # else they would end this process and leave its workers
            _signals.defer(number)
        with Processes() as processes:
            supervisor = _supervise(processes, train, study, workers, restarts)
    else:
        supervisor = _supervise(executor, train, study, workers, restarts)
    if study.done:
        study.ask()  # returns None: it tidies up after the killed, and raises StudyFailed
        _log_late_errors(supervisor)
    else:
        _raise_if_given_up(supervisor, study)


def _supervise(
    executor: Executor, train: Callable[[Study], object], study: Study, workers: int, restarts: int
) -> Supervisor[Future]:
    """Return the supervisor of all workers once nothing more is to be done."""
    submission = LocalSubmission if isinstance(executor, Processes) else Submission

    def submit(slot: Slot[Future]) -> Future:
        try:
            return executor.submit(submission(train, slot.number, slot.start), study)
        except ArgumentError:
            raise
        except Exception as error:
            raise WorkersFailed(
                f"The executor takes no more workers: {last_line(error)}. The study is as it was."
            ) from error

    supervisor = Supervisor(submit, workers, restarts, partial(_finished, study), Records(lambda: study))
    pause, longest = _PAUSES
    try:
        while not _is_done(study, supervisor) and supervisor.look():
            study.show_progress()
            time.sleep(pause)
            pause = min(1.5 * pause, longest)
    finally:
        study.end_progress()
    return supervisor


def _is_done(study: Study, supervisor: Supervisor[Future]) -> bool:
    """Tell whether a study is done; a look that fails must not end workers that train.

    When it has stopped, no worker is started any more, and those that run end after their trial.
    """
    with suppress(StoreError):
        if study.stopped is not None:
            supervisor.close()
        return study.done
    return False


def _finished(study: Study) -> int:
    """Return how many trials have ended, 0 if that cannot be read at the moment."""
    with suppress(StoreError):
        return study.results().finished
    return 0


def _log_late_errors(supervisor: Supervisor[Future]) -> None:
    """Log the errors of workers that failed behind the training loop; the study is done all the same."""
    for slot in supervisor.slots:
        if slot.running and slot.run is not None and slot.run.done():
            try:
                slot.run.result()
            except Exception as error:
                log.warning("Worker %d failed after the study was done: %s", slot.number, last_line(error))


def _raise_if_given_up(supervisor: Supervisor[Future], study: Study) -> None:
    errors = [slot.error for slot in supervisor.slots if slot.error is not None]
    if errors:
        raise WorkersFailed(
            f"{len(errors)} of {len(supervisor.slots)} workers were given up and none is left, "
            f"but {study!r} is not done. The last error: {last_line(errors[-1])}"
        ) from errors[-1]
