"""Fields of a trial that nobody read before it was told: it was trained with something else."""

from __future__ import annotations

import logging

from hoptim import _reads
from hoptim.errors import NotApplied
from hoptim.store.claim import Claim
from hoptim.store.state import State
from hoptim.trial import Trial

log = logging.getLogger("hoptim")

_MEANS = {
    "checkpoint": "continues from trial {parent}, but its checkpoint was never read: it trained whatever "
    "weights were in memory. Load trial.checkpoint unless trial.continues",
    "params": "has hyperparameters that were never read: it was trained with others. Apply trial.params",
}


class Unread:
    """Judge of the trials that this process tells with a checkpoint.

    A trial that was in hand together with others is not judged, since a process that trains several at once
    may have the weights of each in memory.

    Args:
        strict: True to refuse a trial with an unread field; else it is logged, the first time.
    """

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._alone: int | None = None  # token of the latest claim, if the process held no other then
        self._said: set[str] = set()

    def lend(self, claim: Claim, state: State) -> None:
        """Note that a claim goes to the user."""
        held = state.open.held_by(str(claim.trial.worker))
        self._alone = claim.token if len(held) == 1 else None

    def judge(self, trial: Trial) -> list[str]:
        """Return which of `checkpoint` and `params` a trial needed and nobody read.

        Args:
            trial: Trial that is about to be published.

        Raises:
            NotApplied: There is one, and the process is strict.
        """
        if trial.continues or trial.token != self._alone:
            return []
        unread = [name for name in _reads.unread(trial) if name == "params" or trial.parent is not None]
        for name in unread:
            message = f"Trial {trial.number} {_MEANS[name].format(parent=trial.parent)}"
            if self._strict:
                raise NotApplied(f"{message}. Nothing was published and the claim is kept.")
            if name not in self._said:
                self._said.add(name)
                log.warning(
                    "%s; `strict=True` makes this an error. Further trials are only counted, in "
                    "`study.status().warnings`.",
                    message,
                )
        return unread
