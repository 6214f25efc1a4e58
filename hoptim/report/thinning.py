"""Trials that a page shows of a long study: all of them would be more than a browser can draw."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from hoptim import FinishedTrial


@dataclass(frozen=True)
class Thinned:
    """Trials of a page, in the order of their numbers.

    Attributes:
        trials: Trials that are shown; the parent of each is its latest ancestor among them.
        every: Every so many steps all members' trials are shown; 1 for all trials.
    """

    trials: Sequence[FinishedTrial]
    every: int


def thinned(trials: Sequence[FinishedTrial], always: Collection[int], most: int) -> Thinned:
    """Return trials for a page: all of every k-th step, and some.

    Args:
        trials: All finished trials in the order of their numbers.
        always: Numbers of trials to keep in any case.
        most: Number of trials to keep besides those.
    """
    every = math.ceil(len(trials) / most)
    if every <= 1:
        return Thinned(trials, 1)
    kept = []
    near: dict[int, int | None] = {}  # latest ancestor that is kept, itself among them, by number
    for trial in trials:
        parent = None if trial.parent is None else near[trial.parent]
        if trial.step % every == 0 or trial.number in always:
            kept.append(replace(trial, parent=parent))
            near[trial.number] = trial.number
        else:
            near[trial.number] = parent
    return Thinned(kept, every)
