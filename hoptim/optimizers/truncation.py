"""Truncation selection: the worst copy the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoptim.optimizers import base
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.child import perturbed


@dataclass(frozen=True)
class TruncationSelection(Optimizer):
    """The PBT of Jaderberg et al. 2017 (arXiv 1711.09846, section 4.1.1).

    A member whose trial is among the k worst healthy ones, and not among the k best, continues
    from a random one of the k best with perturbed hyperparameters (`Space.perturb`), or keeps its own
    weights if that one is only equal. Every other member continues its own trial, hyperparameters
    unchanged.

    Args:
        fraction: Share of the healthy trials that are the k best or worst, rounded, in (0, 0.5]; k is at
            least 1. Default: 0.2, as in the paper.
        factors: Factors of a perturbed value, each with probability 1/2. Default: (0.8, 1.25); not the
            paper's (0.8, 1.2), whose product below 1 drifts downwards: the median falls to 0.36 of itself
            in 50 perturbations.
        resample: Probability that a fresh draw replaces the factor, per hyperparameter. Default: 0.25.
        burn_in: Steps at the start during which healthy members keep their weights. Default: 0.

    Raises:
        ArgumentError: A setting is out of its range.

    >>> TruncationSelection(fraction=0.25).fraction
    0.25
    """

    fraction: float = 0.2
    factors: tuple[float, float] = (0.8, 1.25)
    resample: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        base.check_between(self, "fraction", 1e-9, 0.5)
        base.check_perturbation(self)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        best = population.best(self.fraction)
        if population.healthy[row]:
            worst = population.ranking[len(best) :][-len(best) :]
            loses = len(worst) > 0 and population.precedes(worst[0], row)
            if not loses or not view.may_exploit(row, self.burn_in):
                return Proposal(int(population.number[row]), population.x[row])
        return perturbed(view, row, base.pick(best, rng), self, rng)
