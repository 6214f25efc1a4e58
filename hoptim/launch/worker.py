"""A worker of `hoptim.run`: whoever runs it at the moment, and whether it is submitted again."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from hoptim.errors import WorkersFailed
from hoptim.launch.restarts import Restarts
from hoptim.launch.slurm import Requeued

log = logging.getLogger("hoptim")

_NAMES_ONE = re.compile(r"[A-Za-z_][\w.]*: ")  # as in 'ValueError: why', which others write more behind


class Future(Protocol):
    """A call that somebody runs."""

    def done(self) -> bool:
        """Whether it has ended, well or not."""

    def result(self) -> Any:
        """What came of it; raises what went wrong."""


class Executor(Protocol):
    """Whoever runs calls somewhere."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future:
        """Run `fn(*args)` at some time, somewhere."""


@dataclass(frozen=True)
class Submission(Requeued):
    """What is submitted; no two are equal, else Dask would take them for one and the same task.

    Args:
        train: The user's function.
        number: Of the worker.
        token: Of this submission.
    """

    number: int
    token: str

    def __str__(self) -> str:
        return f"hoptim-worker-{self.number}"


class Worker:
    """One of the workers, whoever runs it at the moment.

    Args:
        number: From 0.
        submit: Hands it to the executor.
        restarts: How often in a row it is submitted again.
        seen: Texts of errors that were logged in full, shared by all workers.

    Attributes:
        future: Of the last submission; None before, and while it waits to be submitted again.
        finished: Whether it has returned.
        error: Why it was given up, None while it is not.
    """

    def __init__(self, number: int, submit: Callable[[int], Future], restarts: int, seen: set[str]) -> None:
        self.number, self.finished, self._seen = number, False, seen
        self.future: Future | None = None
        self.error: Exception | None = None
        self._submit, self._restarts = submit, Restarts(restarts)
        self._due = self._since = time.monotonic()
        self._known = 0

    @property
    def at_work(self) -> bool:
        """Whether more may come of it."""
        return not self.finished and self.error is None

    def look(self, told: Callable[[], int]) -> None:
        """Submit it when that is due, take note of its end.

        Args:
            told: Counts the trials of the study that have ended.
        """
        now = time.monotonic()
        if self.future is None and now >= self._due:
            self._since, self._known = now, told()
            self.future = self._submit(self.number)
        elif self.future is not None and self.future.done():
            try:
                self.future.result()
                self.finished = True
            except Exception as error:
                self._ended(error, now, told() > self._known)

    def _ended(self, error: Exception, now: float, came_on: bool) -> None:
        wait = self._restarts.delay(now - self._since if came_on else 0.0)
        if wait is None:
            self.error, then = error, "is given up"
        else:
            self._due, self.future = now + wait, None
            then = f"starts again in {wait:g} s (restart {self._restarts.count} of {self._restarts.most})"
        log.warning("Worker %d %s: %s", self.number, then, self._said(error))

    def _said(self, error: Exception) -> str:
        """In full only once, since a mistake in the script meets all workers."""
        full = text(error)
        known = full in self._seen
        self._seen.add(full)
        return last_line(error) if known else full


def text(error: Exception) -> str:
    """An error in full, as whoever ran the call has written it."""
    said = ""
    with suppress(Exception):  # one that came from elsewhere may not be whole
        said = str(error).strip()
    if isinstance(error, WorkersFailed):
        return said
    return f"{type(error).__name__}: {said}".removesuffix(": ")


def last_line(error: Exception) -> str:
    """What an error comes down to: the last line of its text that names one, or else the last."""
    lines = text(error).splitlines()
    return next((line for line in reversed(lines) if _NAMES_ONE.match(line)), lines[-1])
