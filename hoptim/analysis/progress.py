"""Progress of a run: how fast it goes, how far its members lie apart, whether one founder took all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hoptim.space.space import Space

EARLY = 0.05  # share of the steps in which a collapse to one founder is too early; ours, by experience


class Sole(Protocol):
    """The first step after which all members descended from one founder."""

    @property
    def founder(self) -> int:
        """Return the number of the trial with fresh weights that they began with."""

    @property
    def step(self) -> int:
        """Return the step that all members had done."""


def rate(ended: Sequence[float]) -> float | None:
    """Return how many trials ended per second, None before the second.

    Args:
        ended: Times of their ends, seconds since 1970, in order.
    """
    span = ended[-1] - ended[0] if ended else 0.0
    return (len(ended) - 1) / span if span > 0 else None


def diversity(space: Space, latest: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the spread of each hyperparameter against that of a uniform draw.

    Args:
        space: Hyperparameters.
        latest: Coordinates of the members' latest trials, `(n, d)`.
    """
    spread = {}
    for i, (name, dim) in enumerate(space.dimensions.items()):
        x = [row[i] for row in latest]
        if dim.ordered:
            spread[name] = float(np.std(x) * math.sqrt(12)) if x else 0.0
        else:  # the chance that two members differ, Gini and Simpson's index
            kinds = len(dim.to_json()["values"])
            same = sum((count / len(x)) ** 2 for count in Counter(x).values()) if x else 1.0
            spread[name] = (1 - same) / (1 - 1 / kinds) if kinds > 1 else 0.0
    return spread


def early_collapse(sole: Sole | None, size: int, steps: int) -> str | None:
    """Return a sentence if one founder took all members in the first steps, else None.

    That it takes all in the end is how population based training works.

    Args:
        sole: First step with one founder, None while there are more.
        size: Number of members.
        steps: Trials of each member.
    """
    if sole is None or sole.step >= int(EARLY * steps):
        return None
    return (
        f"All {size} members descend from trial {sole.founder} since step {sole.step} of {steps}: the "
        "weights lost their diversity early. A larger population or a later first exploit (burn_in) keeps "
        "more founders."
    )
