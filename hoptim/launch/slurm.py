"""Jobs that Slurm preempts or ends at their time limit, queued again through submitit."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hoptim import _signals
from hoptim.errors import MissingExtra


@dataclass(frozen=True)
class Requeued:
    """Training function whose submitit job is queued again when Slurm takes its node away.

    Use it as `executor.submit(Requeued(train), study)`; `hoptim.run` submits calls of this kind already.
    On submitit's signal the trial in hand is handed back, the job ends, and Slurm queues the same call
    again. Nothing else is to be saved: the study is on disk.

    Args:
        train: Function to call with the other arguments of `submit`, such as the study.
    """

    train: Callable[..., object]

    def __call__(self, *args: Any, **named: Any) -> None:
        """Train; submitit's signal waits for the end of store operations."""
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            if callable(signal.getsignal(number)):  # submitit's handler ends the process where it is
                _signals.defer(number)
        self.train(*args, **named)

    def checkpoint(self, *args: Any, **named: Any) -> Any:
        """Return the same call for submitit to queue again, when the job is preempted."""
        try:
            from submitit.helpers import DelayedSubmission
        except ImportError as error:
            raise MissingExtra.of(
                "Queueing a job again needs submitit, which is not installed", "slurm"
            ) from error
        return DelayedSubmission(self, *args, **named)
