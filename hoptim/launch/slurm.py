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
    """A training function whose submitit job is queued again when Slurm takes its node away.

    `executor.submit(Requeued(train), study)`; what `hoptim.run` submits is of this kind already. On
    submitit's signal the trial in hand is handed back, the job ends, and Slurm queues the same call
    again. Nothing else is to be saved: the study is on disk.

    Args:
        train: Called with what was submitted along with it, such as the study.
    """

    train: Callable[..., object]

    def __call__(self, *args: Any, **named: Any) -> None:
        """Train; submitit's signal waits for the end of what the store is doing."""
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            if callable(signal.getsignal(number)):  # submitit's handler ends the process where it is
                _signals.defer(number)
        self.train(*args, **named)

    def checkpoint(self, *args: Any, **named: Any) -> Any:
        """What submitit asks for when the job has to go: the same call again."""
        try:
            from submitit.helpers import DelayedSubmission
        except ImportError as error:
            raise MissingExtra(
                "Queueing a job again needs submitit, which is not installed: pip install 'hoptim[slurm]'."
            ) from error
        return DelayedSubmission(self, *args, **named)
