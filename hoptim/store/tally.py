"""A tally of how far the members of a study have come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


class Tally:
    """Numbers of members by how often each has advanced; the least of all is known at once.

    Args:
        advanced: Number of times that each member has advanced.

    Attributes:
        least: Number of times that the slowest member has advanced.
    """

    __slots__ = ("_members", "least")

    def __init__(self, advanced: Sequence[int]) -> None:
        self.least = min(advanced, default=0)
        self._members = dict(Counter(advanced))

    def advance(self, step: int) -> bool:
        """Count a member from a step to the next one; return whether that raised the least.

        Args:
            step: Number of times that it had advanced before.
        """
        members = self._members
        members[step + 1] = members.get(step + 1, 0) + 1
        members[step] = left = members[step] - 1
        if left:
            return False
        del members[step]
        raised = step == self.least
        self.least += raised
        return raised

    def add(self, size: int) -> None:
        """Add members that have not advanced yet."""
        if size:
            self._members[0] = self._members.get(0, 0) + size
            self.least = 0
