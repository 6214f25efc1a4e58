"""Candidate: a member's latest trial, ranked by the mean of several values of its lineage."""

from __future__ import annotations

from dataclasses import dataclass

from hoptim.trial import FinishedTrial


@dataclass(frozen=True)
class Candidate:
    """One of the members' latest trials, with the values that it is ranked by.

    Attributes:
        trial: The trial.
        mean: Mean of the values.
        values: Latest values of its lineage, its own last; fewer where the lineage is shorter.
    """

    trial: FinishedTrial
    mean: float
    values: tuple[float, ...]
