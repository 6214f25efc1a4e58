"""Random search: the baseline of all other methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoptim._arguments import whole_of
from hoptim.optimizers.base import Optimizer, Proposal, View


@dataclass(frozen=True)
class RandomSearch(Optimizer):
    """Random search: every member trains the configuration that it drew, independent of all others.

    A failed trial's configuration is discarded: its member starts with a fresh draw. The draws after the
    first ignore `init`. With a `length`, or after failures, the members' latest trials need not include the
    best: read `study.best_ever`.

    Args:
        length: Intervals that a configuration is trained before its member starts the next one with fresh
            weights. Default: None, train the first to the end, one configuration per member.

    Raises:
        ArgumentError: `length` is not a whole number of at least 1.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> study = hoptim.Study(
    ...     None, space=space, optimizer=hoptim.RandomSearch(length=2), size=4, steps=6, mode="min"
    ... )
    >>> for trial in study:
    ...     trial.tell(trial.params["x"])
    >>> len({trial.params["x"] for trial in study.trials}), max(trial.age for trial in study.trials)
    (12, 1)
    """

    length: int | None = None

    def __post_init__(self) -> None:
        if self.length is not None:
            object.__setattr__(self, "length", whole_of("RandomSearch: length", self.length, 1))

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        trained = int(population.age[row]) + 1
        if not population.healthy[row] or (self.length is not None and trained >= self.length):
            return Proposal(None, view.space.draw(rng))
        return Proposal(int(population.number[row]), population.x[row])
