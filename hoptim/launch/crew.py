"""All workers of one `hoptim.run`, watched until the study is done."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from hoptim import _signals
from hoptim._arguments import check_whole
from hoptim.errors import ArgumentError, WorkersFailed
from hoptim.launch.processes import Processes
from hoptim.launch.worker import Executor, Future, Submission, Worker, last_line
from hoptim.study import Study

log = logging.getLogger("hoptim")

_PAUSES = (0.01, 0.5)  # seconds between looks at the workers: first and longest


def check(train: Any, study: Any, workers: Any, executor: Any, restarts: Any) -> None:
    """Raise `ArgumentError` for an argument of `run` that cannot work."""
    if not callable(train):
        raise ArgumentError(f"train must be a function of a study, found {train!r}.")
    if not isinstance(study, Study):
        raise ArgumentError(f"study must be a hoptim.Study, found {study!r}.")
    if study.path is None:
        raise ArgumentError(
            "A study in memory cannot be shared by workers; give it a directory that they all see."
        )
    check_whole("workers", workers, 1)
    check_whole("restarts", restarts, 0)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ArgumentError(f"executor must have a method submit(fn, *args), found {executor!r}.")


def work_here(train: Callable[[Study], object], study: Study, size: int, restarts: int) -> None:
    """Train in processes of this machine; none of them is left at the end."""
    _signals.defer(signal.SIGTERM)  # else it would end this process and leave them
    with Processes() as processes:
        crew = Crew(train, study, processes, size, restarts)
        crew.watch()
    crew.conclude()


class Crew:
    """All workers of one `run`."""

    def __init__(
        self, train: Callable[[Study], object], study: Study, executor: Executor, size: int, restarts: int
    ) -> None:
        self._train, self._study, self._executor = train, study, executor
        seen: set[str] = set()
        self._workers = [Worker(number, self._submit, restarts, seen) for number in range(size)]

    def work(self) -> None:
        """Keep the workers at work until the study is done or all have ended; raises as `run` does."""
        self.watch()
        self.conclude()

    def watch(self) -> None:
        """Submit what is due, and take note of what has ended, until nothing more is to be done."""
        pause, longest = _PAUSES
        while not self._study.done:
            for worker in self._workers:
                if worker.at_work:
                    worker.look(self._told)
            if not any(worker.at_work for worker in self._workers):
                return
            time.sleep(pause)
            pause = min(1.5 * pause, longest)

    def conclude(self) -> None:
        """Say what went wrong; raises when the study is not done because of it."""
        if self._study.done:
            self._study.ask()  # there is none: it tidies up after the killed, and raises StudyFailed
            for worker in self._workers:
                self._say_late_error(worker)
            return
        errors = [worker.error for worker in self._workers if worker.error is not None]
        if errors:
            raise WorkersFailed(
                f"{len(errors)} of {len(self._workers)} workers were given up and none is left, "
                f"but {self._study!r} is not done. The last error: {last_line(errors[-1])}"
            ) from errors[-1]

    def _say_late_error(self, worker: Worker) -> None:
        if worker.at_work and worker.future is not None and worker.future.done():
            try:
                worker.future.result()
            except Exception as error:
                log.warning(
                    "Worker %d failed after the study was done: %s", worker.number, last_line(error)
                )

    def _submit(self, number: int) -> Future:
        call = Submission(self._train, number, os.urandom(4).hex())
        try:
            return self._executor.submit(call, self._study)
        except ArgumentError:
            raise
        except Exception as error:
            raise WorkersFailed(
                f"The executor takes no more workers: {last_line(error)}. The study is as it was."
            ) from error

    def _told(self) -> int:
        return len(self._study.trials)
