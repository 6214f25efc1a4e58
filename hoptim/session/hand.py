"""The trials that a loop has in hand."""

from __future__ import annotations

from dataclasses import dataclass

from hoptim.store.claim import Claim
from hoptim.trial import Trial


@dataclass(eq=False)
class Hand:
    """What one loop holds: the trial that it gave to the user, and the claim for its next one.

    Attributes:
        claims_ahead: Claim the next trial in the same append as a tell. False for a loop with a
            deadline, before which a trial might not end.
        lent: Trial that the user has, None before the first.
        ahead: Claim that nobody has begun yet.
    """

    claims_ahead: bool = False
    lent: Trial | None = None
    ahead: Claim | None = None
