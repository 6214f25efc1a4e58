"""MF-PBT: sub-populations that evolve at different frequencies, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hoptim._text import shown
from hoptim.errors import ArgumentError
from hoptim.optimizers.base import Optimizer, Proposal, View, check_perturbation, pick
from hoptim.optimizers.child import perturbed
from hoptim.optimizers.population import Population

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_RESCUE = 0.25  # share of donors for a member whose own trial failed; the paper does not say
_QUARTERS = 4


@dataclass(frozen=True)
class MultiFrequency(Optimizer):
    """Multiple-frequencies PBT of Doulazmi et al. 2025 (arXiv 2506.03225), against short-sightedness.

    The members are split into as many sub-populations as there are frequencies; one with frequency f
    evolves after every f-th step and trains on unchanged in between. When it evolves, its members are
    ranked in quarters, rounded down and at least one each. The worst quarter takes weights and perturbed
    hyperparameters of the best, of an equal only the latter. The third quarter is replaced by stronger
    members of other sub-populations, the strongest first: from a slower sub-population by weights and
    hyperparameters, from a faster one by the weights alone, with the hyperparameters of the best of its
    own, so that greedy hyperparameters do not spread.

    It does not need to know where a run ends, as `Patient` does, so prefer it for open-ended runs. With a
    known end, `Patient` did better on two of the three problems of `python -m hoptim.benchmarks horizon`
    and as well on the third.

    Args:
        frequencies: Steps between two decisions of each sub-population, which should have at least four
            members. Default: (1, 10, 25, 50), as in the paper.
        factors: Factors of a perturbed value, each with probability 1/2. Default: (0.8, 1.25), as in the
            paper.
        resample: Probability that a fresh draw replaces the factor, per hyperparameter. Default: 0, as in
            the paper; a `Choice` then never changes.
        burn_in: Steps at the start during which healthy members keep their weights. Default: 0.

    Raises:
        ArgumentError: A setting is out of its range.

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
                f"found {shown(self.frequencies)}."
            )
        object.__setattr__(self, "frequencies", found)
        check_perturbation(self)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return Proposal(None, view.first(member, rng))
        groups = population.member * len(self.frequencies) // view.size
        if not population.healthy[row]:
            return self._rescue(view, row, groups == groups[row], rng)
        every = self.frequencies[int(groups[row])]
        weights = settings = row
        done, span = int(population.step[row]) + 1, int(population.span[row])
        if done // every > (done - span) // every and view.may_exploit(row, self.burn_in):
            ranks = _Quarters.of(population.ranking[groups[population.ranking] == groups[row]])
            if row in ranks.losers:
                return perturbed(view, row, int(rng.choice(ranks.winners)), self, rng)
            weights, settings = self._migrant(population, groups, ranks, row)
        x = np.where(view.space.inherited, population.x[weights], population.x[settings])
        return Proposal(int(population.number[weights]), x)

    def _rescue(self, view: View, row: int, own: NDArray[np.bool_], rng: np.random.Generator) -> Proposal:
        """Return a child of the best of the own sub-population, else of all, else a fresh draw."""
        ranking = view.population.ranking
        near = ranking[own[ranking]]
        donors = near if len(near) else ranking
        return perturbed(view, row, pick(donors[: max(1, round(_RESCUE * len(donors)))], rng), self, rng)

    def _migrant(self, population: Population, groups: Ints, ranks: _Quarters, row: int) -> tuple[int, int]:
        """Return rows to take weights and hyperparameters from; the own row if no migrant replaces it."""
        migrants = population.ranking[groups[population.ranking] != groups[row]].tolist()[::-1]
        for replaced in ranks.open.tolist():
            if not migrants or population.loss[migrants[-1]] >= population.loss[replaced]:
                continue
            migrant = migrants.pop()
            if replaced == row:
                theirs, own = (self.frequencies[int(groups[r])] for r in (migrant, row))
                settings = migrant if theirs > own else row if theirs == own else ranks.winners[0]
                return migrant, int(settings)
        return row, row


class _Quarters(NamedTuple):
    """Rows of a sub-population, each quarter best first."""

    winners: Ints
    open: Ints
    losers: Ints

    @classmethod
    def of(cls, ranking: Ints) -> _Quarters:
        quarter = max(1, len(ranking) // _QUARTERS)
        rest = ranking[quarter:]  # a small sub-population's winners are neither open nor losers
        return cls(ranking[:quarter], rest[-2 * quarter : -quarter], rest[-quarter:])
