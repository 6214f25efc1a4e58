"""The supervisor: starts workers, restarts those that fail, gives up those that keep failing."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from hoptim.launch.failure import WorkerStopped, in_full, last_line
from hoptim.launch.records import Records
from hoptim.launch.restarts import Restarts

log = logging.getLogger("hoptim")


class Future(Protocol):
    """One run of a worker, under way or ended."""

    def done(self) -> bool:
        """Tell whether it has ended, well or not."""

    def result(self) -> Any:
        """Return its result once it has ended; raise the error that ended it."""


Run = TypeVar("Run", bound=Future)


@dataclass
class Slot(Generic[Run]):
    """One worker: its latest run, and when to start the next.

    Attributes:
        number: Number of the worker, from 0.
        restarts: Restart policy.
        starts: Number of runs so far.
        run: Latest run, None before the first.
        running: True until the supervisor has noted the end of the latest run.
        due: Monotonic time of the next start, None if none is planned.
        start: Identifier of the latest start, 8 hexadecimal digits.
        since: Monotonic time of the latest start.
        progress: Progress of all workers at that time.
        failures: Attempts that the study recorded as failed by then.
        error: Error of the last run if the worker was given up, else None.
    """

    number: int
    restarts: Restarts
    starts: int = 0
    run: Run | None = None
    running: bool = False
    due: float | None = 0.0
    start: str = ""
    since: float = 0.0
    progress: float = 0.0
    failures: int = 0
    error: Exception | None = None


class Supervisor(Generic[Run]):
    """Keeps workers running until each has ended well or was given up.

    Args:
        start: Function of a slot that starts its worker. An error that it raises ends the launch if no
            worker was ever started; else it is called again later.
        workers: Number of workers.
        restarts: Restarts in a row after which a worker is given up.
        progress: Returns a measure of what all workers have achieved; only a worker that ran while it
            grew has its restarts counted anew. Default: the clock, which always grows.
        records: Records of the study. The end of a worker whose cause they bound, a failed attempt or a
            death in a trial, is not counted as a restart. Default: None, which counts all.

    Attributes:
        slots: The workers, by number.
    """

    def __init__(
        self,
        start: Callable[[Slot[Run]], Run],
        workers: int,
        restarts: int,
        progress: Callable[[], float] = time.monotonic,
        records: Records | None = None,
    ) -> None:
        self.slots = tuple(Slot[Run](number, Restarts(restarts)) for number in range(workers))
        self._start, self._progress, self._records = start, progress, records
        self._closed = False
        self._logged: set[str] = set()

    def look(self) -> bool:
        """Start the workers that are due and note those that ended; return whether any is left."""
        for slot in self.slots:
            if slot.running:
                if slot.run is not None and slot.run.done():
                    self._note_end(slot, slot.run)
            elif slot.due is not None and time.monotonic() >= slot.due:
                self._begin(slot)
        return any(slot.running or slot.due is not None for slot in self.slots)

    def close(self) -> None:
        """Start no worker from now on; those that run may end as they like."""
        self._closed = True
        for slot in self.slots:
            slot.due = None

    def running(self) -> list[Run]:
        """Return the runs whose end was not noted yet."""
        return [slot.run for slot in self.slots if slot.running and slot.run is not None]

    def _begin(self, slot: Slot[Run]) -> None:
        slot.due, slot.starts, slot.start = None, slot.starts + 1, os.urandom(4).hex()
        slot.since, slot.progress = time.monotonic(), self._progress()
        slot.failures = 0 if self._records is None else self._records.failures()
        try:
            slot.run = self._start(slot)
        except Exception as error:
            slot.starts -= 1
            if not any(each.starts for each in self.slots):
                raise
            self._retry(slot, error)
        else:
            slot.running, slot.restarts.tries = True, 0

    def _note_end(self, slot: Slot[Run], run: Run) -> None:
        slot.running = False
        try:
            run.result()
        except Exception as error:
            if not self._closed:
                self._plan_restart(slot, error)

    def _retry(self, slot: Slot[Run], error: Exception) -> None:
        """Plan another start after one that failed; when nothing runs, that counts as a restart."""
        if not self.running():
            self._plan_restart(slot, error)
            return
        wait = slot.restarts.retry()
        slot.due = time.monotonic() + wait
        log.warning(
            "Worker %d could not be started and is tried again in %g s: %s",
            slot.number, wait, self._brief(error),
        )  # fmt: skip

    def _plan_restart(self, slot: Slot[Run], error: Exception) -> None:
        now, restarts = time.monotonic(), slot.restarts
        lived = now - slot.since if self._progress() > slot.progress else 0.0
        if self._is_recorded(slot, error):
            wait: float | None = restarts.begin_anew()
            then = f"in a trial, as the study records, and restarts in {wait:g} s"
        elif (wait := restarts.delay(lived)) is None:
            slot.error, then = error, "and is given up"
        else:
            then = f"and restarts in {wait:g} s (restart {restarts.count} of {restarts.most})"
        slot.due = None if wait is None else now + wait
        log.warning("Worker %d failed %s: %s", slot.number, then, self._brief(error))

    def _is_recorded(self, slot: Slot[Run], error: Exception) -> bool:
        """Tell whether the study records what ended a worker: a failed attempt, or its death in a trial."""
        if self._records is None:
            return False
        died = not isinstance(error, WorkerStopped) and self._records.record_deaths(slot.start)
        return died or self._records.failures() > slot.failures

    def _brief(self, error: Exception) -> str:
        """Return an error in full once, then its last line: a mistake in a script meets all workers."""
        full = in_full(error)
        known = full in self._logged
        self._logged.add(full)
        return last_line(error) if known else full
