"""ASHA: asynchronous successive halving, which trains only the best configurations further."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hoptim._arguments import whole_of
from hoptim.errors import ArgumentError
from hoptim.optimizers._rungs import Rungs, is_forked
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population, Row
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ASHA(Optimizer):
    """The asynchronous successive halving of Li et al. 2018 (arXiv 1810.05934, algorithm 2).

    A configuration trains with constant hyperparameters up to a *rung*, and pauses there. The first rung is
    after `min_resource` intervals, each next one `reduction_factor` times as far. When its configuration
    pauses, a member searches the rungs, from the highest down, for a paused configuration among the best 1
    / `reduction_factor` of all that reached the rung, and trains the best of these to the next rung from
    its checkpoint; if there is none, it starts a fresh draw. So a member is a slot to train in,
    configurations move between members, and no interval of one is trained twice.

    A value that is not finite ends its configuration, which counts as the last of the rung that it was to
    reach. Draws after the members' first ignore `init`; if every dimension has one, the first
    configurations are equal. The checkpoints of all paused configurations are kept to the end. The members'
    latest trials need not include the best: read `study.best_ever`. Members wait for the slowest as in any
    study; `Study(lead=...)` lets them run ahead. If `max_resource` is no power of the factor, it is the
    last rung all the same, where the paper ends at the power below.

    Args:
        max_resource: Intervals that the best configurations are trained; the last rung (R in the
            paper, `max_t` in Ray Tune and Syne Tune).
        min_resource: Intervals to the first rung (r in the paper, with s = 0; `grace_period` in Ray Tune
            and Syne Tune). Default: 1.
        reduction_factor: Divisor of each rung: its best 1 / `reduction_factor` are promoted (eta in the
            paper). Default: 4, as in the paper.

    Raises:
        ArgumentError: A setting is not a whole number, the factor is below 2, or the first rung is beyond
            the last.

    >>> ASHA(max_resource=64).rungs
    [1, 4, 16, 64]
    """

    max_resource: int
    min_resource: int = 1
    reduction_factor: int = 4

    def __post_init__(self) -> None:
        for name, low in (("max_resource", 1), ("min_resource", 1), ("reduction_factor", 2)):
            object.__setattr__(self, name, whole_of(f"ASHA: {name}", getattr(self, name), low))
        if self.min_resource > self.max_resource:
            raise ArgumentError(
                f"ASHA: min_resource must be at most max_resource, found {self.min_resource} and "
                f"{self.max_resource}."
            )

    @property
    def rungs(self) -> list[int]:
        """Return the intervals of training after which configurations are compared; the last ends them."""
        rungs, trained = [], self.min_resource
        while trained < self.max_resource:
            rungs.append(trained)
            trained *= self.reduction_factor
        return [*rungs, self.max_resource]

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population, row = view.population, view.population.row(member)
        if row is None:
            return self._fresh(view.first(member, rng))
        if self._between_rungs(population, row):
            return self._continued(int(population.number[row]), int(population.age[row]), population.x[row])
        paused = view.summary(Rungs, tuple(self.rungs), self.reduction_factor).promotable()
        if paused is None:
            return self._fresh(view.space.draw(rng))
        return self._continued(paused.number, paused.age, np.array(paused.x))

    def proceed(self, trial: Row, space: Space) -> Proposal:
        made = super().proceed(trial, space)
        return replace(made, retain=self._pauses(trial.age + 2, trial.span + 1))

    def _fresh(self, x: NDArray[np.float64]) -> Proposal:
        return Proposal(None, x, retain=self._pauses(1))

    def _continued(self, number: int, age: int, x: NDArray[np.float64]) -> Proposal:
        return Proposal(number, x, retain=self._pauses(age + 2))  # intervals after what is proposed

    def _pauses(self, trained: int, span: int = 1) -> bool:
        """Tell whether a configuration pauses after so many intervals, the last `span` without a value."""
        return any(trained - span < rung <= trained for rung in self.rungs[:-1])

    def _between_rungs(self, population: Population, row: int) -> bool:
        """Tell whether a member's configuration has not reached its next rung."""
        trained, span = int(population.age[row]) + 1, int(population.span[row])
        forked = is_forked(int(population.parent[row]), trained - 1, span)
        pauses = self._pauses(trained, span) and not forked
        return bool(population.healthy[row]) and trained < self.max_resource and not pauses
