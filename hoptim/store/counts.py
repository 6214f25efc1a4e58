"""Counts of what went wrong in a study."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Counts over all trials so far, those that have not ended included.

    Attributes:
        failed: Trials that failed for good or were told a value that is not finite.
        attempts: Attempts that failed.
        interruptions: Claims that were released or taken back.
    """

    failed: int = 0
    attempts: int = 0
    interruptions: int = 0
