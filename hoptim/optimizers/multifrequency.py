"""Multiple frequencies: sub-populations that decide often and seldom, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hoptim.errors import ArgumentError
from hoptim.optimizers.base import Optimizer, Proposal, View, check_between, check_pair, pick
from hoptim.optimizers.population import Population

_RESCUE = 0.25  # donors for a member whose own trial failed; the paper does not say
_QUARTERS = 4


@dataclass(frozen=True)
class MultiFrequency(Optimizer):
    """MF-PBT, Doulazmi et al. 2025 (arXiv 2506.03225): an answer to short-sightedness.

    The members are split into as many sub-populations as there are frequencies; one with frequency f
    evolves after every f-th step and trains on unchanged in between. When it evolves, its members rank
    in quarters, rounded down and at least one each: the worst take weights and perturbed
    hyperparameters of the best; the third quarter is open for stronger members of other
    sub-populations, the strongest first. From a slower one they take all; from a faster one the weights
    alone, with the hyperparameters of their own best, so that greed does not spread.

    It need not know where a run ends, which `Patient` must, and is the one for open-ended runs. Where
    the end is known, `Patient` did better on two of the three problems of
    `python -m hoptim.benchmarks horizon` and as well on the third.

    Args:
        frequencies: Steps between two decisions of each sub-population; the paper's. At least four
            members for each are what it is made for.
        factors: Multiplied with a value, even odds; the paper's.
        resample: Probability of a fresh draw instead of a factor, per hyperparameter. The paper
            has none; without it a `Choice` never changes.
        burn_in: Trials of the first `burn_in` steps never exploit.

    Raises:
        ArgumentError: A setting out of its range.

    >>> MultiFrequency(frequencies=(1, 20)).frequencies
    (1, 20)
    """

    frequencies: tuple[int, ...] = (1, 10, 25, 50)
    factors: tuple[float, float] = (0.8, 1.25)
    resample: float = 0.0
    burn_in: int = 0

    def __post_init__(self) -> None:
        found = tuple(self.frequencies) if isinstance(self.frequencies, Sequence) else ()
        if not found or not all(type(f) is int and f >= 1 for f in found):
            raise ArgumentError(
                "MultiFrequency: frequencies must be whole numbers of at least 1, such as (1, 10, 25, 50), "
                f"found {self.frequencies!r}."
            )
        object.__setattr__(self, "frequencies", found)
        check_pair(self, "factors")
        check_between(self, "resample", 0, 1)
        check_between(self, "burn_in", 0, np.inf)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        groups = population.member * len(self.frequencies) // view.size
        if not population.healthy[row]:
            return self._rescue(view, groups == groups[row], rng)
        every = self.frequencies[int(groups[row])]
        weights = settings = row
        if (population.step[row] + 1) % every == 0 and view.may_exploit(row, self.burn_in):
            ranks = _Quarters.of(population.ranking[groups[population.ranking] == groups[row]])
            if row in ranks.losers:
                parent = int(rng.choice(ranks.winners))
                return self._child(view, parent, rng)
            weights, settings = self._migrant(population, groups, ranks, row)
        x = np.where(view.space.inherited, population.x[weights], population.x[settings])
        return Proposal(int(population.number[weights]), x)

    def _child(self, view: View, parent: int, rng: np.random.Generator) -> Proposal:
        x = view.space.perturb(view.population.x[parent], self.factors, self.resample, rng)
        return Proposal(int(view.population.number[parent]), x)

    def _rescue(self, view: View, own: np.ndarray, rng: np.random.Generator) -> Proposal:
        """A child of the best of one's own sub-population, else of all, else a fresh draw."""
        ranking = view.population.ranking
        near = ranking[own[ranking]]
        donors = near if len(near) else ranking
        parent = pick(donors[: max(1, round(_RESCUE * len(donors)))], rng)
        return Proposal(None, view.space.draw(rng)) if parent is None else self._child(view, parent, rng)

    def _migrant(
        self, population: Population, groups: np.ndarray, ranks: _Quarters, row: int
    ) -> tuple[int, int]:
        """Rows whose weights and whose hyperparameters a member goes on with; its own where it may stay."""
        strangers = [r for r in population.ranking.tolist() if groups[r] != groups[row]]
        for host in ranks.open.tolist():
            if not strangers or population.loss[strangers[0]] >= population.loss[host]:
                continue
            migrant = strangers.pop(0)
            if host == row:
                theirs, ours = (self.frequencies[int(groups[r])] for r in (migrant, row))
                settings = migrant if theirs > ours else row if theirs == ours else ranks.winners[0]
                return migrant, int(settings)
        return row, row


class _Quarters(NamedTuple):
    """Rows of a sub-population, each best first."""

    winners: np.ndarray
    open: np.ndarray
    losers: np.ndarray

    @classmethod
    def of(cls, ranking: np.ndarray) -> _Quarters:
        quarter = max(1, len(ranking) // _QUARTERS)
        rest = ranking[quarter:]  # who wins neither loses nor is open
        return cls(ranking[:quarter], rest[-2 * quarter : -quarter], rest[-quarter:])
