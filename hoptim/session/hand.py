"""The trials that a loop has in hand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

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
        process: Process that holds them; a forked child does not.
    """

    claims_ahead: bool = False
    lent: Trial | None = None
    ahead: Claim | None = None
    process: int = field(default_factory=os.getpid)

    @property
    def inherited(self) -> bool:
        """Return True in a forked child, where all of this is the parent's."""
        return self.process != os.getpid()
