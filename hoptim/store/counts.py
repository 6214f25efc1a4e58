"""Counts of what went wrong in a study."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Counts over all trials so far, those that have not ended included.

    Attributes:
        failed: Trials that failed for good or were told a value that is not finite.
        attempts: Attempts that failed.
        interruptions: Claims that were released or taken back.
        unread_checkpoints: Trials whose parent's checkpoint was never read.
        unread_params: Trials whose hyperparameters were never read.
    """

    failed: int = 0
    attempts: int = 0
    interruptions: int = 0
    unread_checkpoints: int = 0
    unread_params: int = 0

    def note_unread(self, names: Collection[str]) -> None:
        """Count a trial that was told without some of its fields having been read."""
        self.unread_checkpoints += "checkpoint" in names
        self.unread_params += "params" in names
