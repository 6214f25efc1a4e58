"""News: the trials that ended since the last look, as optimizers see them."""

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

    def ended(self, state: State) -> list[Row]:
        """Return the trials that ended since the last call or `skip`, in the order of their ends."""
        new = [row_of(trial, state) for trial in state.ended_since(self._seen)]
        self._seen = len(state.finished)
        return new


def row_of(trial: TrialRecord, state: State) -> Row:
    """Return a trial as an optimizer sees it: a lower loss is better, NaN where nothing may continue it."""
    loss = math.nan if trial.number in state.gone else state.sign * trial.value
    parent = -1 if trial.parent is None else trial.parent
    return Row(trial.number, trial.member, trial.step, trial.age, trial.x, loss, trial.memo, parent)
