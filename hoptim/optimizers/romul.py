"""ROMUL: a step size that adapts itself, inside population based training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoptim.errors import OptimizerError
from hoptim.optimizers import _romul_kernel
from hoptim.optimizers.base import Optimizer, Proposal, View, check_between, check_pair, pick
from hoptim.optimizers.population import Population


@dataclass(frozen=True)
class ROMUL(Optimizer):
    """Scale-adaptive PBT; our reconstruction of 'ROMUL: Scale Adaptative Population Based Training'.

    The paper's full text is not public. This is the (mu, lambda) evolution strategy with mutative
    self-adaptation (Schwefel 1995; Beyer & Schwefel 2002) run inside PBT, chosen because it fits
    the published figures.

    A member whose trial is among the best k is its own parent, so the best go on without reloading;
    every other member continues from a random one of the best k. The step size sigma is inherited
    with the weights and so selected along with the lineage that it served: it is multiplied by
    exp(rate * N(0, 1)), then every ordered hyperparameter takes a Gaussian step of that size in
    units of its range, reflected at the bounds. Losses are only compared within one population,
    never with a parent's older loss, because losses fall with training time anyway.

    Adaptive steps are no answer to short-sightedness: what lowers the loss now is kept, also where it costs
    more later. On a noisy quadratic with a decision at each step (`hoptim.benchmarks.quadratic`) it ends
    at 0.4302 +- 0.0003 (mean and standard error of 20 seeds), where the best of each single step ends at
    0.439 and a linear decay of the learning rate at 0.204. `Patient` answers that, around this optimizer
    or another.

    Args:
        fraction: The best k are this fraction of the healthy trials, rounded, at least 2 of 3.
        step: First trials' sigma, in units of each hyperparameter's range.
        rate: Standard deviation of the logarithm of sigma from parent to child.
        bounds: Smallest and largest sigma.
        resample_choice: Probability that a `Choice` is drawn anew.
        burn_in: Trials of the first `burn_in` steps never exploit.

    Raises:
        ArgumentError: A setting out of its range.

    >>> ROMUL(step=0.05).step
    0.05
    """

    fraction: float = 0.25
    step: float = 0.1
    rate: float = math.log(1.2)
    bounds: tuple[float, float] = (1e-4, 0.5)
    resample_choice: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_between(self, "fraction", 1e-9, 0.5)
        check_pair(self, "bounds")
        check_between(self, "step", *self.bounds)
        check_between(self, "rate", 0, 10)
        check_between(self, "resample_choice", 0, 1)
        check_between(self, "burn_in", 0, np.inf)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng), _memo(self.step))
        best = population.best(self.fraction, at_least=2 if len(population.ranking) >= 3 else 1)
        stays = population.healthy[row] and (row in best or not view.may_exploit(row, self.burn_in))
        parent = row if stays else pick(best, rng)
        if parent is None:
            return Proposal(None, view.space.draw(rng), _memo(self.step))
        z = rng.standard_normal(1 + len(view.space))
        sigma = _romul_kernel.adapt(_sigma(population, parent), self.rate, z[0], self.bounds)
        u = population.x[parent]
        moved = np.where(view.space.stepped, _romul_kernel.step(u, sigma, z[1:]), u)
        x = view.space.redraw(moved, self.resample_choice, rng)
        return Proposal(int(population.number[parent]), x, _memo(sigma))


def _memo(sigma: Any) -> dict[str, float]:
    return {"sigma": float(sigma)}


def _sigma(population: Population, parent: int) -> float:
    """The step size that a trial was made with."""
    memo = population.memo[parent]
    sigma = memo.get("sigma") if isinstance(memo, Mapping) else None
    if not isinstance(sigma, float):
        raise OptimizerError(
            f"The memo of trial {population.number[parent]} should hold ROMUL's step size, found {memo!r}."
        )
    return sigma
