"""What a study's records must fit: its size, steps, seed, sign and hyperparameters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudyShape:
    """The settings that the fold of a study's records begins with.

    Attributes:
        size: Number of members.
        steps: Trials of each member, until an `extend` record raises it.
        seed: Seed of the study.
        sign: 1 if lower values are better, -1 if higher ones are.
        names: Names of the hyperparameters; None accepts any.
    """

    size: int
    steps: int
    seed: int
    sign: int
    names: Collection[str] | None = None
