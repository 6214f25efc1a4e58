"""The initiator: whom it meets, who wins, and that every child is mutated."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import Float, Initiator, Int, Proposal, Space, View
from hoptim.testing import Row, population
from tests.members import BEGUN, PLAIN, evenly, view


def propose(seen: View, member: int, seed: int = 0, **changes: Any) -> Proposal:
    """The next trial of a member, without fresh draws unless told otherwise."""
    optimizer = Initiator(**{"resample": 0.0, **changes})
    return optimizer.propose(seen, member, np.random.default_rng(seed))


def parents(seen: View, member: int, n: int = 60, **changes: Any) -> Counter[int | None]:
    """How often each trial is the parent of a member's next one."""
    return Counter(propose(seen, member, seed, **changes).parent for seed in range(n))


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (0, {10: 1.0}),
        (1, {10: 0.25, 11: 0.75}),
        (2, {10: 0.25, 11: 0.25, 12: 0.5}),
        (3, {10: 0.25, 11: 0.25, 12: 0.25, 13: 0.25}),
    ],
)
def test_the_opponent_is_any_healthy_trial_and_the_lower_loss_wins(member, expected):
    """Opponents are even odds, itself included; whoever has the lower loss is the parent."""
    found = parents(view([0, 1, 2, 3]), member, n := 3000)
    assert found == {parent: evenly(n, odds) for parent, odds in expected.items()}


@given(losses=st.lists(st.floats(-9, 9), min_size=2, max_size=8), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_a_parent_is_the_initiator_or_better(losses, seed):
    """No member ever continues from a trial with a higher loss than its own."""
    for member in range(len(losses)):
        parent = propose(view(losses), member, seed).parent
        assert parent is not None
        assert parent == 10 + member or losses[parent - 10] < losses[member]


def test_the_initiator_wins_ties():
    """Among equal losses everybody goes on from its own trial, whichever number is lower."""
    seen = view([1, 1, 1, 1])
    assert [set(parents(seen, member)) for member in range(4)] == [{10}, {11}, {12}, {13}]


@pytest.mark.parametrize("losses", [[0, 1], [1, 0], [1, 1]])
def test_the_child_is_always_mutated(losses):
    """Whoever won, the child's value is the parent's times one of the factors."""
    seen = view(losses)
    for seed in range(40):
        found = propose(seen, 0, seed)
        value = 2.0 if found.parent == 10 else 3.0
        assert seen.space.decode(found.x)["x"] / value in (pytest.approx(0.8), pytest.approx(1.25))
        assert found.memo is None


def test_both_factors_have_even_odds():
    """Half of the children take the one factor, half the other."""
    seen, n = view([0, 1]), 2000
    ups = sum(propose(seen, 0, seed).x[0] > seen.population.x[0, 0] for seed in range(n))
    assert ups == evenly(n, 0.5)


@pytest.mark.parametrize("resample", [0.0, 0.25, 1.0])
def test_resample_draws_values_anew(resample):
    """A Choice takes another of three values two thirds of the times that it is drawn anew."""
    seen, n = view([0, 1]), 3000
    changed = sum(propose(seen, 0, seed, resample=resample).x[1] != 1.0 for seed in range(n))
    assert changed == evenly(n, resample * 2 / 3)


@pytest.mark.parametrize(("burn_in", "expected"), [(0, {10, 11}), (6, {10, 11}), (7, {11})])
def test_no_exploit_during_burn_in(burn_in, expected):
    """In the first `burn_in` steps a member keeps its own weights, though its child is mutated."""
    seen = view([0, 1], step=5)
    assert set(parents(seen, 1, burn_in=burn_in)) == expected
    assert propose(seen, 1, burn_in=burn_in).x[0] != seen.population.x[1, 0]


@pytest.mark.parametrize(("size", "expected"), [(4, {10, 11}), (5, {11})])
def test_no_exploit_before_half_have_finished_the_step(size, expected):
    """Two that have finished are half of four members, not of five."""
    assert set(parents(view([0, 1], size=size), 1)) == expected


def test_a_lone_member_continues_its_own():
    """With one member there is nobody to meet, and its child is mutated all the same."""
    found = propose(view([0]), 0)
    assert found.parent == 10
    assert PLAIN.decode(found.x)["x"] in (pytest.approx(1.6), pytest.approx(2.5))


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failures_are_never_opponents(failure):
    """A trial that failed is not met, so the odds are those of the healthy alone."""
    found = parents(view([failure, 0, 1, failure]), 2, n := 2000)
    assert found == {11: evenly(n, 0.5), 12: evenly(n, 0.5)}


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("burn_in", "size"), [(0, 7), (9, 7), (0, 100)])
def test_a_failed_member_is_rescued_at_once(failure, burn_in, size):
    """Its parent is one of the best quarter of the healthy, in burn-in and with few finished too."""
    seen = view([5, 4, 3, 2, 1, 0, failure], size=size)
    assert set(parents(seen, 6, burn_in=burn_in)) == {14, 15}
    child = propose(seen, 6, burn_in=burn_in)
    assert child.x[0] not in seen.population.x[:, 0]


def test_with_nobody_healthy_a_member_starts_afresh():
    """There is no parent then, and values are drawn, not taken from init."""
    seen = view([math.nan, math.inf], space=BEGUN)
    made = [propose(seen, 0, seed) for seed in range(40)]
    assert {p.parent for p in made} == {None}
    assert len({p.x[0] for p in made}) == 40
    assert {p.x[1] for p in made} == {0.0, 1.0, 2.0}


def test_first_trials_take_init():
    """Before anything is finished, a trial has no parent and takes its init, unmutated."""
    found = propose(View(BEGUN, 3, population([])), 2)
    assert (found.parent, found.memo) == (None, None)
    assert BEGUN.decode(found.x) == {"x": pytest.approx(7.0), "c": "b"}


def test_architecture_comes_with_the_weights():
    """An inherited dimension is the parent's to the last bit, whoever won."""
    space = Space({"depth": Int(1, 9, inherit=True), "x": Float(0.5, 50.0)})
    xs = [space.draw(np.random.default_rng(i)).tolist() for i in range(2)]
    seen = View(space, 2, population([Row(i, i, 0, 0, xs[i], float(i)) for i in range(2)]))
    for seed in range(20):
        found = propose(seen, 1, seed, resample=1.0)
        assert found.parent is not None
        assert found.x[0] == xs[found.parent][0]
