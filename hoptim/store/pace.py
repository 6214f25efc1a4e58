"""The pace of this process beside the others', by which a slow one leaves to them what they end sooner."""

from __future__ import annotations

import statistics
import time
from collections import deque

from hoptim.store.state import State

_OWN = 3  # trials of this process whose median its next one is expected to take
_SHORTEST = 0.05  # seconds; one that waits looks only every 5 ms or more, so that less is not worth a wait
_SLOWER = 1.2  # times the others' mean that a trial takes here at least before one is left to them


class Pace:
    """Durations of trials since this process's last claim, by the times in the journal.

    A slow worker that claims the trial for which all others soon wait makes the whole study as slow as
    itself. So it leaves a trial to the others if they could end it, and all that can be begun before they
    wait for it, sooner than this process would end it alone.

    The others are those that ended a trial since this process claimed its last one, each as fast as their
    mean. A process without a trial of its own leaves nothing. One that leaves a trial for as long as it
    would take claims it; if nobody ends any meanwhile, it knows of no others from then on.
    """

    def __init__(self) -> None:
        self._own: deque[float] = deque(maxlen=_OWN)
        self._seen: int | None = None  # trials that had ended at the last look; None before the first claim
        self._others: set[str | None] = set()
        self._trials, self._seconds = 0, 0.0
        self._left, self._since = (-1, -1), 0.0

    def begin(self, state: State) -> None:
        """Look at the others anew, as this process claims a trial."""
        self._seen = len(state.finished)
        self._others = set()
        self._trials, self._seconds = 0, 0.0

    def leaves(self, state: State, member: int, lead: int, me: str) -> bool:
        """Return whether to leave a member's next trial to the others for now.

        Args:
            state: State of the study.
            member: Member that is due.
            lead: Steps that a member may be ahead of the slowest.
            me: Name of this worker.
        """
        self._look(state, me)
        if not self._own or not self._trials:
            return False
        mine, theirs = statistics.median(self._own), self._seconds / self._trials
        if mine < max(_SHORTEST, _SLOWER * theirs):
            return False
        sooner = len(self._others) * mine >= _work(state, member, lead) * theirs
        return sooner and not self._waited(member, len(state.members[member]), mine)

    def _look(self, state: State, me: str) -> None:
        """Take in the trials that ended since the last look."""
        count = len(state.finished)
        if self._seen is None or count <= self._seen:
            return
        for trial in state.ended_since(self._seen):
            if trial.failed is None and trial.ended is not None:
                seconds = max(0.0, trial.ended - trial.claimed)
                if trial.worker == me:
                    self._own.append(seconds)
                else:
                    self._others.add(trial.worker)
                    self._trials += 1
                    self._seconds += seconds
        self._seen = count

    def _waited(self, member: int, step: int, longest: float) -> bool:
        """Return whether a trial was left to the others for so long that they do not take it."""
        now = time.monotonic()
        if self._left != (member, step):
            self._left, self._since = (member, step), now
        return now - self._since > longest


def _work(state: State, member: int, lead: int) -> int:
    """Return how many trials the others can end before they wait for a member's next one, and that one."""
    step = len(state.members[member])
    last = min(step + lead, state.steps - 1)
    ended = state.count - len(state.open)
    return state.size * (last + 1) - ended - (last - step)
