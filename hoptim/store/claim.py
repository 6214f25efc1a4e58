"""Claims: who may train a trial, and the proof of it."""

from __future__ import annotations

from typing import Protocol

from hoptim.errors import ArgumentError
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord


class Held(Protocol):
    """A trial that is held, and the proof of the claim."""

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
        checkpoint: The parent's checkpoint, None without one.
    """

    __slots__ = ("__weakref__", "checkpoint", "token", "trial")

    def __init__(self, trial: TrialRecord, state: State) -> None:
        self.trial, self.token = trial, trial.token
        self.checkpoint = None if trial.parent is None else state.saved.get(trial.parent)

    @staticmethod
    def resumed(state: State, number: int, token: int, where: str) -> Claim:
        """Return a claim that another process was given.

        Args:
            state: State of the study.
            number: Trial.
            token: Token of the claim.
            where: Name of the journal, for messages.

        Raises:
            ArgumentError: The study has no such trial.
        """
        trial = state.finished.get(number) or state.open.numbered(number)
        if trial is None:
            raise ArgumentError(f"There is no trial {number}, but {state.count} so far, in {where}.")
        claim = Claim(trial, state)
        claim.token = token
        return claim

    @property
    def number(self) -> int:
        """Return the number of the trial."""
        return self.trial.number

    @property
    def member(self) -> int:
        """Return the member of the trial."""
        return self.trial.member
