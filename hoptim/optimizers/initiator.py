"""Initiator-based evolution: every member meets an opponent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View, check_between, check_pair, pick

_RESCUE = 0.25  # donors for a member whose own trial failed; the paper does not say


@dataclass(frozen=True)
class Initiator(Optimizer):
    """The initiator-based evolution of Li et al. 2019 (arXiv 1902.01894).

    The member's own trial is the initiator. Its opponent is a random healthy trial, itself
    included; the lower loss is the parent, the initiator on ties. The child is always perturbed
    (`Space.perturb`), also when the initiator won.

    Args:
        factors: Multiplied with a value, even odds. Not the common (0.8, 1.2), whose product below
            1 drifts downwards.
        resample: Probability of a fresh draw instead of a factor, per hyperparameter.
        burn_in: Trials of the first `burn_in` steps never exploit.

    Raises:
        ArgumentError: A setting out of its range.

    >>> Initiator(factors=(0.65, 1.35)).factors
    (0.65, 1.35)
    """

    factors: tuple[float, float] = (0.8, 1.25)
    resample: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_between(self, "resample", 0, 1)
        check_between(self, "burn_in", 0, np.inf)
        check_pair(self, "factors")

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        parent: int | None = row
        if not population.healthy[row]:
            parent = pick(population.best(_RESCUE), rng)
            if parent is None:
                return Proposal(None, view.space.draw(rng))
        elif view.may_exploit(row, self.burn_in):
            opponent = pick(population.ranking, rng)
            if opponent is not None and population.loss[opponent] < population.loss[row]:
                parent = opponent
        x = view.space.perturb(population.x[parent], self.factors, self.resample, rng)
        return Proposal(int(population.number[parent]), x)
