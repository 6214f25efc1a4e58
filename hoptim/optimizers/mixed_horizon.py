"""MixedHorizon: a greedy group of members beside a patient one."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.patient import Patient
from hoptim.optimizers.population import Population
from hoptim.optimizers.romul import ROMUL, stepped


@dataclass(frozen=True)
class MixedHorizon(Optimizer):
    """Two groups of members, greedy and patient, for when it is not known which of the two is right.

    A learning rate that is best for the next steps may be the wrong one in the end, so that `ROMUL` is
    worse than random search. Or the best values move and have to be followed at once, for which `Patient`
    is too slow. This method is our own, not a paper's:

    * **Greedy**, 3 of 8 members: after each trial all of them continue the best of *all* members, itself
      with the same hyperparameters, the others a self-adapted step from these. This is the (1 + lambda)
      evolution strategy with ROMUL's steps, whose sizes adapt faster (rate log(1.5)). Who is as good as
      the best goes on with its own weights, and the others are spread over all these.
    * **Patient**, the others: `Patient(decisions=8)` among themselves. They never take from a greedy member
      while one of them is healthy, so that short-sighted hyperparameters do not spread to them.

    Where greed is right the greedy ones lead, and the patient ones are spent. Where it is not, the patient
    ones overtake them, and the greedy ones continue the best of these to the end.

    Regret is the share that a method leaves of the gain over random search, 0 for the best and 1 for random
    search; worst and mean over 19 small problems, and over 5 that were kept aside until this was finished
    (16 members, 20 runs, `python -m hoptim.benchmarks regret`):

                        worst  mean   kept aside
        Truncation       1.82  0.55  0.91 / 0.40
        Initiator        2.51  0.90  1.18 / 0.60
        ROMUL            2.93  0.93  1.44 / 0.29
        MultiFrequency   0.74  0.35  0.92 / 0.39
        Patient          0.76  0.28  0.81 / 0.28
        MixedHorizon     0.24  0.03  0.58 / 0.15

    Where it does harm: on a function with many local minima (0.58), as all greedy members descend the same
    one; on a value that moves (0.17), which only 3 of 8 members follow, and more so with 8 members in all
    (0.41, 5 runs); where greed is right in a short run: with 20 trials of each member, its networks on
    images have 1.2 points more errors than ROMUL's (docs/studies.md). A member alone is greedy and never
    changes. It needs to know where the run ends, as `Patient` does; with fewer than 12 trials all members
    decide after each of them.

    >>> MixedHorizon()
    MixedHorizon()
    """

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        if is_greedy(member):
            return _GREEDY.propose(view, member, rng)
        seen = replace(view, size=view.size - greedy_of(view.size), population=_patients(view.population))
        return _PATIENT.propose(seen, member, rng)


@dataclass(frozen=True)
class _Elitist(ROMUL):
    """The (1 + lambda) evolution strategy with ROMUL's steps: all but the best are children of the best.

    Equals of the best are parents too, each its own and one of all others', so that a coarse loss does not
    leave one member's weights alone.
    """

    rate: float = math.log(1.5)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None or not len(population.ranking):
            return super().propose(view, member, rng)
        best = population.ranking.item(0)
        if row == best or (population.healthy[row] and not view.may_exploit(row, self.burn_in)):
            return Proposal(population.number.item(row), population.x[row], population.memo[row])
        equals = np.flatnonzero(population.loss == population.loss.item(best))
        equals = equals[np.argsort(population.member[equals])]
        donor = row if row in equals else equals.item(member % len(equals))
        return stepped(view, row, donor, self, rng)


_GREEDY = Patient(_Elitist(), decisions=sys.maxsize)  # a decision after each trial
_PATIENT = Patient(decisions=8)


def is_greedy(member: int) -> bool:
    """Tell whether a member is of the greedy group: three of eight, so spread that a few are of both."""
    return 3 * member % 8 < 3


def greedy_of(size: int) -> int:
    """Return the number of greedy members in a study of that size, at least one."""
    return 1 + 3 * (size - 1) // 8


@lru_cache(maxsize=2)  # all members that decide after one step compare the same population
def _patients(population: Population) -> Population:
    """Return the trials of the patient group; all trials if none of theirs is healthy, to rescue them."""
    rows = [row for row in population.rows() if not is_greedy(row.member)]
    patients = Population.of(rows, population.x.shape[1])
    return patients if len(patients.ranking) or not len(population.ranking) else population
