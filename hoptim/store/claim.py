"""A claim: who may train a trial, and the proof of it."""

from __future__ import annotations

from typing import Protocol

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
        parent_token: That of the parent's checkpoint, None without one.
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
