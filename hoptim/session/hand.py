"""The trials that a loop has in hand."""

from __future__ import annotations

import os

from hoptim.store.claim import Claim
from hoptim.trial import Trial


class Hand:
    """What one loop holds: the trial that it gave to the user, and the claim for its next one.

    Args:
        claims_ahead: True to claim the next trial in the same append as a tell. Default: False, as for
            a loop with a deadline, before which a trial might not end.

    Attributes:
        claims_ahead: True if the next trial is claimed along with a tell.
        lent: Trial that the user has, None before the first.
        ahead: Claim that nobody has begun yet.
    """

    def __init__(self, claims_ahead: bool = False) -> None:
        self.claims_ahead = claims_ahead
        self.lent: Trial | None = None
        self.ahead: Claim | None = None
        self._process = os.getpid()

    @property
    def inherited(self) -> bool:
        """Return True in a forked child, where all of this is the parent's."""
        return self._process != os.getpid()
