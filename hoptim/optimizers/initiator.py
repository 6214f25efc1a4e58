"""Initiator-based evolution: each member is compared with a random opponent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View, check_perturbation, pick
from hoptim.optimizers.child import perturbed

_RESCUE = 0.25  # share of donors for a member whose own trial failed; the paper does not say


@dataclass(frozen=True)
class Initiator(Optimizer):
    """The initiator-based evolution of Li et al. 2019 (arXiv 1902.01894).

    The member's own trial is the initiator. Its opponent is a random healthy trial, itself
    included; the one with the lower loss is the parent, the initiator on ties. The child is always
    perturbed (`Space.perturb`), also if the initiator won.

    Args:
        factors: Factors of a perturbed value, each with probability 1/2. Default: (0.8, 1.25); not the
            common (0.8, 1.2), whose product below 1 drifts downwards.
        resample: Probability that a fresh draw replaces the factor, per hyperparameter. Default: 0.25.
        burn_in: Steps at the start during which healthy members keep their weights. Default: 0.

    Raises:
        ArgumentError: A setting is out of its range.

    >>> Initiator(factors=(0.65, 1.35)).factors
    (0.65, 1.35)
    """

    factors: tuple[float, float] = (0.8, 1.25)
    resample: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_perturbation(self)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        parent: int | None = row
        if not population.healthy[row]:
            parent = pick(population.best(_RESCUE), rng)
        elif view.may_exploit(row, self.burn_in):
            opponent = pick(population.ranking, rng)
            if opponent is not None and population.loss[opponent] < population.loss[row]:
                parent = opponent
        return perturbed(view, row, parent, self, rng)
