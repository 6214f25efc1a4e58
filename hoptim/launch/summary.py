"""How the workers of `hoptim run` ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hoptim.launch.failure import ending


@dataclass(frozen=True)
class WorkerSummary:
    """How one worker ended.

    Attributes:
        number: Number of the worker, from 0.
        starts: Number of times that it was started.
        status: Exit status of its last run, negative for the signal that killed it; None if it never ran.
        log: Path of its log file.
    """

    number: int
    starts: int
    status: int | None
    log: Path

    @property
    def ending(self) -> str:
        """Return how its last run ended, in words."""
        if self.status is None:
            return "was never started"
        return ending(self.status) if self.status else "finished"


@dataclass(frozen=True)
class LaunchSummary:
    """How all workers ended.

    Attributes:
        folder: Directory of the study.
        workers: Workers by number.
        stopped: Signal that stopped them, None if all ended by themselves.
    """

    folder: Path
    workers: tuple[WorkerSummary, ...]
    stopped: int | None

    @property
    def status(self) -> int:
        """Return 0 if all ended well, 1 if a worker was given up, 128 plus the signal if stopped."""
        if self.stopped is not None:
            return 128 + self.stopped
        return int(any(worker.status != 0 for worker in self.workers))
