"""Truncation selection: the worst take over from the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View, check_between, check_pair, pick


@dataclass(frozen=True)
class TruncationSelection(Optimizer):
    """The PBT of Jaderberg et al. 2017 (arXiv 1711.09846, section 4.1.1).

    A member whose trial is among the k worst healthy ones, and not among the k best, continues
    from a random one of the k best with perturbed hyperparameters (`Space.perturb`). Everybody
    else continues its own trial, hyperparameters unchanged.

    Args:
        fraction: k is this fraction of the healthy trials, rounded, at least 1. The paper's 0.2.
        factors: Multiplied with a value, even odds. Not the paper's (0.8, 1.2), whose product
            below 1 drifts downwards: the median falls to 0.36 of itself in 50 perturbations.
        resample: Probability of a fresh draw instead of a factor, per hyperparameter.
        burn_in: Trials of the first `burn_in` steps never exploit.

    Raises:
        ArgumentError: A setting out of its range.

    >>> TruncationSelection(fraction=0.25).fraction
    0.25
    """

    fraction: float = 0.2
    factors: tuple[float, float] = (0.8, 1.25)
    resample: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_between(self, "fraction", 1e-9, 0.5)
        check_between(self, "resample", 0, 1)
        check_between(self, "burn_in", 0, np.inf)
        check_pair(self, "factors")

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        best = population.best(self.fraction)
        if population.healthy[row]:
            worst = population.ranking[len(best) :][-len(best) :]
            if row not in worst or not view.may_exploit(row, self.burn_in):
                return Proposal(int(population.number[row]), population.x[row])
        parent = pick(best, rng)
        if parent is None:
            return Proposal(None, view.space.draw(rng))
        x = view.space.perturb(population.x[parent], self.factors, self.resample, rng)
        return Proposal(int(population.number[parent]), x)
