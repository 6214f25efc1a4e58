"""ASHA: asynchronous successive halving, which trains on only what does best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hoptim._arguments import check_whole
from hoptim.errors import ArgumentError
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ASHA(Optimizer):
    """The asynchronous successive halving of Li et al. 2018 (arXiv 1810.05934, algorithm 2).

    A configuration trains with constant hyperparameters up to a *rung*, and waits there. The first rung is
    after `min_resource` intervals, each next one `reduction_factor` times as far. A member whose
    configuration waits looks, from the highest rung down, for one that waits among the best
    1 / `reduction_factor` of all that came to its rung, and trains the best such on to the next rung, from
    its checkpoint; where there is none, it begins with a fresh draw. So a member is a place to train in,
    configurations pass from one to another, and no interval of one is trained twice.

    A value that is not finite ends its configuration, which counts as the last of the rung that it was to
    reach. Draws after the members' first ignore `init`; where every dimension has one, the first
    configurations are equal. The checkpoints of all that wait are kept, to the end. The members' latest
    trials are not the ones to take: `study.best_ever` is. Members wait for the slowest as in any study;
    `Study(lead=...)` lets them run ahead. Where `max_resource` is no power of the factor, the last rung
    is there all the same, and not at the power below as in the paper.

    Args:
        max_resource: Intervals that the best configurations are trained; the last rung. The R of the
            paper; `max_t` of Ray Tune and Syne Tune.
        min_resource: Intervals to the first rung: the paper's r, with s = 0; their `grace_period`.
        reduction_factor: Of each rung's configurations one in so many goes on; the paper's eta, and its 4.

    Raises:
        ArgumentError: No whole numbers, a factor below 2, or a first rung beyond the last.

    >>> ASHA(max_resource=64).rungs
    [1, 4, 16, 64]
    """

    max_resource: int
    min_resource: int = 1
    reduction_factor: int = 4

    def __post_init__(self) -> None:
        for name, low in (("max_resource", 1), ("min_resource", 1), ("reduction_factor", 2)):
            check_whole(f"ASHA: {name}", getattr(self, name), low)
            object.__setattr__(self, name, int(getattr(self, name)))
        if self.min_resource > self.max_resource:
            raise ArgumentError(
                f"ASHA: min_resource must be at most max_resource, found {self.min_resource} and "
                f"{self.max_resource}."
            )

    @property
    def rungs(self) -> list[int]:
        """Intervals of training after which configurations are compared; the last ends them."""
        rungs, trained = [], self.min_resource
        while trained < self.max_resource:
            rungs.append(trained)
            trained *= self.reduction_factor
        return [*rungs, self.max_resource]

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population, row = view.population, view.population.row(member)
        if row is None:
            return self._fresh(view.first(member, rng))
        if self._goes_on(population, row):
            return self._on(population, row)
        row = self._promotable(view)
        return self._fresh(view.space.draw(rng)) if row is None else self._on(view.history, row)

    def _fresh(self, x: NDArray[np.float64]) -> Proposal:
        return Proposal(None, x, retain=self._waits(1))

    def _on(self, trials: Population, row: int) -> Proposal:
        trained = int(trials.age[row]) + 2  # after the trial that is proposed
        return Proposal(int(trials.number[row]), trials.x[row], retain=self._waits(trained))

    def _waits(self, trained: int) -> bool:
        """Whether a configuration waits after so many intervals."""
        return trained in self.rungs[:-1]

    def _goes_on(self, population: Population, row: int) -> bool:
        """Whether a member's configuration has not come to its next rung."""
        trained = int(population.age[row]) + 1
        waits = self._waits(trained) and not _forked(population)[row]
        return bool(population.healthy[row]) and trained < self.max_resource and not waits

    def _promotable(self, view: View) -> int | None:
        """The row of history to train on to its next rung, None when there is none."""
        history, rungs = view.history, self.rungs
        trained = history.age + 1
        rung = np.searchsorted(rungs, trained)  # where it is or was to come
        came = (np.isin(trained, rungs) | ~history.healthy) & ~_forked(history)
        followed = np.isin(history.number, np.concatenate([history.parent, view.running.parent]))
        for k in reversed(range(len(rungs) - 1)):
            here = came & (rung == k)
            best = history.ranking[here[history.ranking]][: np.count_nonzero(here) // self.reduction_factor]
            if len(waiting := best[~followed[best]]):
                return int(waiting[0])
        return None


def _forked(trials: Population) -> NDArray[np.bool_]:
    """Mask `(n,)` of trials whose weights began in another study.

    They go on without a comparison: most that came to their rung have stayed behind.
    """
    return (trials.parent < 0) & (trials.age > 0)
