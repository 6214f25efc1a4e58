"""Claims: who may train a trial, and the proof of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hoptim.errors import AlreadyTold, CheckpointError, ClaimLost, NoCheckpoint
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord


class Held(Protocol):
    """A trial that somebody holds, and the proof of it."""

    @property
    def number(self) -> int:
        """Return the number of the trial."""

    @property
    def member(self) -> int:
        """Return the member of the trial."""

    @property
    def token(self) -> int:
        """Return the record number of the claim."""


class Claim:
    """A trial given to this process; while this object lives, it is not given again.

    Attributes:
        trial: The trial; its worker and token may change when the claim is lost.
        token: Record number of the claim.
        parent_token: Token of the parent's checkpoint, None without one.
    """

    __slots__ = ("__weakref__", "parent_token", "token", "trial")

    def __init__(self, trial: TrialRecord, state: State) -> None:
        self.trial, self.token = trial, trial.token
        self.parent_token = None if trial.parent is None else state.saved.get(trial.parent)

    @property
    def number(self) -> int:
        """Return the number of the trial."""
        return self.trial.number

    @property
    def member(self) -> int:
        """Return the member of the trial."""
        return self.trial.member


def require_valid(state: State, claim: Held) -> TrialRecord:
    """Return the trial of a claim; raise `ClaimLost` or `AlreadyTold` unless the claim is valid."""
    trial = state.held(claim.number, claim.token)
    if trial is not None:
        return trial
    ended = state.finished.get(claim.number)
    if ended is not None and ended.token == claim.token and ended.failed is None:
        raise AlreadyTold(f"Trial {claim.number} has been told already; nothing was recorded.")
    raise ClaimLost(
        f"Trial {claim.number} was given to another worker while this one gave no sign of life, "
        "or was ended elsewhere. Nothing was recorded; go on with the next trial."
    )


def require_checkpoint(state: State, claim: Held, ended: Mapping[str, Any]) -> None:
    """Raise unless a finite value comes with a checkpoint just when the study has them.

    Args:
        state: State before the tell.
        claim: Trial and token.
        ended: Fields of the record that would end it.
    """
    stateful, saved = state.stateful, ended.get("saved", False)
    if stateful is None or isinstance(ended["value"], str) or stateful == saved:
        return
    if stateful:
        raise NoCheckpoint(
            f"Trial {claim.number} was told a value without a checkpoint, but this study's trials "
            "have checkpoints, and others could not continue from it. The claim is kept: tell "
            "again with save=... or checkpoint=trial.draft."
        )
    raise CheckpointError(
        f"Trial {claim.number} was told with a checkpoint, but this study's first value came "
        "without one, so its trials have none. The claim is kept: tell without it, or begin a "
        "new study whose every tell saves."
    )
