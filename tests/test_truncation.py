"""Truncation selection: who exploits, whom, and what happens to the hyperparameters."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hoptim import Proposal, TruncationSelection, View
from hoptim.testing import population
from tests.members import BEGUN, evenly, view


def propose(seen: View, member: int, seed: int = 0, **changes: Any) -> Proposal:
    """The next trial of a member, without fresh draws unless told otherwise."""
    optimizer = TruncationSelection(**{"resample": 0.0, **changes})
    return optimizer.propose(seen, member, np.random.default_rng(seed))


def exploiters(seen: View, **changes: Any) -> list[int]:
    """Members whose next trial is not their own one unchanged."""
    made = [propose(seen, member, **changes) for member in range(len(seen.population))]
    unchanged = [(10 + member, x) for member, x in enumerate(seen.population.x.tolist())]
    return [m for m, p in enumerate(made) if (p.parent, p.x.tolist()) != unchanged[m]]


@pytest.mark.parametrize(
    ("fraction", "losses", "expected"),
    [
        (0.2, [5, 3, 8, 1, 9, 2, 7, 4, 6, 0], [2, 4]),
        (0.2, [0, 1], [1]),
        (0.2, [1], []),
        (0.5, [0, 1, 2], [2]),
        (0.5, [3, 2, 1, 0], [0, 1]),
        (0.5, [4, 3, 2, 1, 0], [0, 1]),
        (0.2, [1, 1, 1, 1], [3]),
        (0.25, [0, 1, 2, 3, 4, 5, math.nan, math.nan], [4, 5, 6, 7]),
    ],
)
def test_the_k_worst_exploit(fraction, losses, expected):
    """The k worst healthy members exploit, never one of the k best; on ties the later is worse."""
    assert exploiters(view(losses), fraction=fraction) == expected


@given(losses=st.lists(st.floats(-9, 9), min_size=1, max_size=20), fraction=st.floats(0.01, 0.5))
@example(losses=[0.0, 1.0, 0.0, 0.0], fraction=0.5)
@settings(max_examples=60)
def test_exploiters_and_donors_are_never_the_same(losses, fraction):
    """Of h members min(k, h - k) exploit, all among the worst, and better donors are among the best k."""
    h = len(losses)
    k = max(1, math.floor(fraction * h + 0.5))
    ranked = sorted(range(h), key=lambda member: (losses[member], member))
    seen = view(losses)
    factors = 0.83, 1.21  # by which none of the evenly spaced values becomes another
    found = exploiters(seen, fraction=fraction, factors=factors)
    assert sorted(found) == sorted(ranked[max(k, h - k) :])
    for member in found:
        parent = propose(seen, member, fraction=fraction).parent
        assert parent in {10 + donor for donor in ranked[:k] if losses[donor] < losses[member]} or (
            parent == 10 + member and losses[ranked[0]] <= losses[member] <= losses[ranked[k - 1]]
        )


def test_all_others_continue_unchanged():
    """Who does not exploit keeps its own weights and hyperparameters to the last bit."""
    seen = view([4, 3, 2, 1, 0])
    for member in (1, 2, 3, 4):
        found = propose(seen, member, resample=1.0)
        assert found.parent == 10 + member
        assert found.x.tolist() == seen.population.x[member].tolist()
        assert found.memo is None


def test_donors_are_drawn_evenly_from_the_best():
    """Each of the best k is taken over equally often."""
    seen, n = view([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]), 3000
    found = Counter(propose(seen, 14, seed).parent for seed in range(n))
    assert found == {parent: evenly(n, 1 / 3) for parent in (10, 11, 12)}


def test_an_exploiter_takes_the_donors_values_times_a_factor():
    """The child's value is the parent's times 0.8 or 1.25, with even odds; a Choice stays."""
    seen, n = view([0, 1]), 2000
    made = [seen.space.decode(propose(seen, 1, seed).x) for seed in range(n)]
    assert {params["c"] for params in made} == {"b"}
    found = Counter(round(params["x"], 9) for params in made)
    assert found == {1.6: evenly(n, 0.5), 2.5: evenly(n, 0.5)}


def test_an_exploiter_draws_anew_with_resample():
    """With resample=1 nothing of the parent's value is left."""
    seen = view([0, 1])
    values = [seen.space.decode(propose(seen, 1, seed, resample=1.0).x)["x"] for seed in range(50)]
    assert len(set(values)) == 50
    assert max(values) > 25


@pytest.mark.parametrize(("burn_in", "expected"), [(0, [3]), (6, [3]), (7, []), (100, [])])
def test_no_exploit_during_burn_in(burn_in, expected):
    """After step 5 the trial of step 6 is made: it exploits unless the first 7 steps must not."""
    assert exploiters(view([0, 1, 2, 3], step=5), burn_in=burn_in) == expected


@pytest.mark.parametrize(("size", "expected"), [(3, [2]), (6, [2]), (7, [])])
def test_no_exploit_before_half_have_finished_the_step(size, expected):
    """Three that have finished are half of six members, not of seven."""
    assert exploiters(view([0, 1, 2], size=size)) == expected


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("burn_in", "size"), [(0, 6), (9, 6), (0, 100)])
def test_a_failed_member_is_rescued_at_once(failure, burn_in, size):
    """Its parent is drawn from the best k and perturbed, in burn-in and with few finished too."""
    seen = view([0, 1, 2, 3, 4, failure], size=size)
    made = [propose(seen, 5, seed, fraction=0.4, burn_in=burn_in) for seed in range(60)]
    assert {p.parent for p in made} == {10, 11}
    values = {round(seen.space.decode(p.x)["x"], 9) for p in made}
    assert values == {1.6, 2.5, 2.4, 3.75}


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failures_neither_donate_nor_count(failure):
    """k is a fraction of the healthy, and a failed trial is never the parent."""
    losses = [failure] * 9 + [0, 1, 2, 3, 4, 5]
    seen = view(losses)
    assert [m for m in exploiters(seen) if m >= 9] == [14]
    assert {propose(seen, 14, seed).parent for seed in range(40)} == {19}


def test_with_nobody_healthy_a_member_starts_afresh():
    """There is no parent then, and values are drawn, not taken from init."""
    seen = view([math.nan, math.inf], space=BEGUN)
    made = [propose(seen, 0, seed) for seed in range(40)]
    assert {p.parent for p in made} == {None}
    assert len({p.x[0] for p in made}) == 40
    assert {p.x[1] for p in made} == {0.0, 1.0, 2.0}


def test_first_trials_take_init():
    """Before anything is finished, a trial has no parent and takes its init."""
    found = propose(View(BEGUN, 3, population([])), 2)
    assert (found.parent, found.memo) == (None, None)
    assert BEGUN.decode(found.x) == {"x": pytest.approx(7.0), "c": "b"}
