"""ROMUL: population based training with a self-adaptive step size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoptim.errors import OptimizerError
from hoptim.optimizers import _romul_kernel as kernel
from hoptim.optimizers.base import Optimizer, Proposal, View, check_between, check_pair, pick
from hoptim.optimizers.child import child


@dataclass(frozen=True)
class ROMUL(Optimizer):
    """Scale-adaptive PBT; our reconstruction of 'ROMUL: Scale Adaptative Population Based Training'.

    The paper's full text is not public. This is the (mu, lambda) evolution strategy with mutative
    self-adaptation (Schwefel 1995; Beyer & Schwefel 2002, section 4.2) run inside PBT, chosen because it
    fits the published figures.

    A member whose trial is among the best k keeps its own weights, so the best train on without reloading;
    every other member continues from a random one of the best k, or takes only the hyperparameters and
    step size of an equal one. A trial has one step size sigma, which is inherited with the hyperparameters
    and so selected along with them:

        sigma' = clip(sigma exp(rate z_0), bounds)      z_0 ~ N(0, 1)
        u'     = reflect(u + sigma' z)                  z   ~ N(0, I_d)

    where u are the ordered hyperparameters in units of their ranges. Losses are compared within one
    population only, never with a parent's older loss, because losses fall with training time anyway.

    Adaptive steps do not prevent short-sightedness: what lowers the loss now is kept, even if it costs more
    later. On a noisy quadratic with a decision at each step (`hoptim.benchmarks.toys.quadratic`) the final
    loss is 0.4302 +- 0.0003 (mean and standard error of 20 seeds), against 0.439 for the best choice of
    each single step and 0.204 for a linear decay of the learning rate. `Patient` addresses that, around
    this optimizer or another.

    Args:
        fraction: Share of the healthy trials that are the best k, rounded, in (0, 0.5]; k is at least 2 if
            3 trials are healthy. Default: 0.25.
        step: Sigma of first trials, in units of each hyperparameter's range. Default: 0.1.
        rate: Standard deviation of log sigma from parent to child (tau in the paper). Default: log(1.2).
        bounds: Smallest and largest sigma. Default: (1e-4, 0.5).
        resample_choice: Probability that a `Choice` is drawn anew. Default: 0.25.
        burn_in: Steps at the start during which healthy members keep their weights. Default: 0.

    Raises:
        ArgumentError: A setting is out of its range.

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
        check_between(self, "burn_in", 0, math.inf)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng), {"sigma": float(self.step)})
        best = population.best(self.fraction, at_least=2 if len(population.ranking) >= 3 else 1)
        chosen = population.healthy[row] and population.precedes(row, best[-1])
        stays = chosen or (population.healthy[row] and not view.may_exploit(row, self.burn_in))
        parent = row if stays else pick(best, rng)
        if parent is None:
            return Proposal(None, view.space.draw(rng), {"sigma": float(self.step)})
        return stepped(view, row, parent, self, rng)

    @staticmethod
    def step_size(memo: Any) -> float | None:
        """Return the step size sigma recorded in a trial's `memo`; None if it records none.

        >>> ROMUL.step_size({"sigma": 0.1})
        0.1
        """
        sigma = memo.get("sigma") if isinstance(memo, Mapping) else None
        return sigma if isinstance(sigma, float) and math.isfinite(sigma) else None


def stepped(view: View, row: int, parent: int, by: ROMUL, rng: np.random.Generator) -> Proposal:
    """Return a member's `child` a random step from a donor, of a size that is adapted from the donor's.

    Args:
        view: State of the study.
        row: Row of the member in the population.
        parent: Row of the donor, whose memo holds its step size.
        by: Settings of the step.
        rng: Generator of the step.

    Raises:
        OptimizerError: The memo holds no step size.
    """
    population = view.population
    number, memo = population.number.item(parent), population.memo[parent]
    if (inherited := by.step_size(memo)) is None:
        raise OptimizerError(f"The memo of trial {number} must hold ROMUL's step size, found {memo!r}.")
    x = population.x[parent].tolist()  # plain floats, as arrays of a few numbers take longer
    z_0, *z = rng.standard_normal(1 + len(x)).tolist()
    sigma = kernel.adapt(inherited, by.rate, z_0, by.bounds)
    for i in view.space.stepped_at:
        x[i] = kernel.step(x[i], sigma, z[i])
    x = view.space.redraw(x, by.resample_choice, rng)
    return child(view, row, parent, x, {"sigma": sigma})
