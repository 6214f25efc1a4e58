"""News: the trials that ended since the last look, and how optimizers see them."""

from __future__ import annotations

import math

from hoptim.optimizers.population import Row
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord


class News:
    """What is new in a study's state; what was seen before is not looked at again."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._lost = self._seen = 0

    def is_other(self, state: State) -> bool:
        """Tell whether to begin anew: after a new reading of the journal, or the loss of a checkpoint."""
        if state is self._state and len(state.gone) == self._lost:
            return False
        self._state, self._lost, self._seen = state, len(state.gone), 0
        return True

    def skip(self, state: State) -> None:
        """Take all that have ended as seen."""
        self._seen = len(state.finished)

    def ended(self, state: State) -> list[TrialRecord]:
        """Return the trials that ended since the last call or `skip`, in the order of their ends."""
        new = state.ended_since(self._seen)
        self._seen = len(state.finished)
        return new


def proceeds(trial: TrialRecord, state: State) -> bool:
    """Return whether a finished trial's weights go on with no decision, as it was not valued.

    Optimizers do not see it: to them, it and the trials after it up to the next value are one. If its
    checkpoint was lost it is a failed one.
    """
    return not trial.valued and trial.number not in state.gone


def row_if_seen(trial: TrialRecord, state: State) -> Row | None:
    """Return a finished trial as an optimizer sees it, None if it sees none."""
    return None if proceeds(trial, state) else row_of(trial, state)


def row_of(trial: TrialRecord, state: State) -> Row:
    """Return a trial as an optimizer sees it: a lower loss is better, NaN where nothing may continue it."""
    loss = math.nan if trial.number in state.gone else state.sign * trial.value
    since = -1 if trial.since is None else trial.since
    return Row(
        trial.number, trial.member, trial.step, trial.age, trial.x, loss, trial.memo, since, trial.span
    )
