"""ROMUL: who is its own parent, how sigma is inherited, and the steps that it makes."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import ROMUL, Choice, Float, Int, Ordinal, Proposal, Space, View
from hoptim.errors import OptimizerError
from hoptim.testing import Row, population
from tests.members import evenly

PLAIN = Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})


def view(
    losses: Sequence[float],
    sigmas: Sequence[float] | float = 0.1,
    x: Sequence[float] = (0.5, 0.5),
    step: int = 0,
    size: int | None = None,
    space: Space = PLAIN,
) -> View:
    """Members that have told these losses; member i took trial 10 + i."""
    each = [sigmas] * len(losses) if isinstance(sigmas, float) else sigmas
    rows = [
        Row(10 + i, i, step, step, x, loss, {"sigma": sigma})
        for i, (loss, sigma) in enumerate(zip(losses, each, strict=True))
    ]
    return View(space, size or len(losses), population(rows))


def propose(seen: View, member: int, seed: int = 0, **changes: Any) -> Proposal:
    """The next trial of a member."""
    return ROMUL(**changes).propose(seen, member, np.random.default_rng(seed))


def parents(seen: View, member: int, n: int = 60, **changes: Any) -> Counter[int | None]:
    """How often each trial is the parent of a member's next one."""
    return Counter(propose(seen, member, seed, **changes).parent for seed in range(n))


@pytest.mark.parametrize(
    ("h", "k"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (9, 2), (10, 3), (13, 3), (14, 4), (16, 4)]
)
def test_the_best_k_are_their_own_parents_and_all_others_theirs(h, k):
    """k is a quarter of the healthy, at least 2 once there are 3; the rest draws evenly from them."""
    seen = view([float(i) for i in range(h)])
    for member in range(k):
        assert set(parents(seen, member)) == {10 + member}
    if h > k:
        expected = {10 + best: evenly(1200, 1 / k) if k > 1 else 1200 for best in range(k)}
        assert parents(seen, h - 1, 1200) == expected


def test_ties_rank_the_lower_number_first():
    """Among equals the earlier trials are the best k; the others take their values, not their weights."""
    seen = view([1.0, 1.0, 1.0, 1.0], sigmas=[0.1, 0.2, 0.3, 0.4])
    assert [set(parents(seen, member)) for member in range(4)] == [{10}, {11}, {12}, {13}]
    made = [
        {propose(seen, member, seed, rate=0.0).memo["sigma"] for seed in range(40)} for member in range(4)
    ]
    assert made == [{0.1}, {0.2}, {0.1, 0.2}, {0.1, 0.2}]


@given(losses=st.lists(st.floats(-9, 9), min_size=2, max_size=12), fraction=st.floats(0.01, 0.5))
@settings(max_examples=60)
def test_parents_are_among_the_best(losses, fraction):
    """With any fraction a parent is a better one of the best k; those and their equals keep their own."""
    h = len(losses)
    k = max(2 if h >= 3 else 1, math.floor(fraction * h + 0.5))
    best = sorted(range(h), key=lambda member: (losses[member], member))[:k]
    for member in range(h):
        parent = propose(view(losses), member, fraction=fraction).parent
        better = [] if member in best else [10 + b for b in best if losses[b] < losses[member]]
        assert parent in better or (parent == 10 + member and losses[member] <= losses[best[-1]])


def test_first_trials_carry_the_first_step_size():
    """Before anything is finished, a trial has no parent, takes its init and sigma = step."""
    space = Space({"x": Float(0.0, 1.0, init=0.25)})
    found = propose(View(space, 3, population([])), 1, step=0.07)
    assert (found.parent, found.x.tolist(), found.memo) == (None, [0.25], {"sigma": 0.07})


def test_sigma_comes_with_the_parent():
    """Without self-adaptation a child has the sigma of its parent, not of its own last trial."""
    seen = view([0.0, 1.0, 2.0, 3.0], sigmas=[0.01, 0.02, 0.03, 0.04])
    for seed in range(30):
        for member in range(4):
            found = propose(seen, member, seed, rate=0.0)
            assert found.parent is not None
            assert found.memo == {"sigma": 0.01 * (found.parent - 9)}


def test_sigma_is_multiplied_by_a_log_normal_number():
    """log(sigma' / sigma) / rate is standard normal: mean 0 and deviation 1, within five errors."""
    seen, n = view([0.0], sigmas=0.01), 3000
    sigmas = np.array([propose(seen, 0, seed).memo["sigma"] for seed in range(n)])
    z = np.log(sigmas / 0.01) / math.log(1.2)
    assert z.mean() == pytest.approx(0, abs=5 / math.sqrt(n))
    assert z.std() == pytest.approx(1, abs=5 / math.sqrt(2 * n))


@pytest.mark.parametrize("sigma", [1e-4, 0.5])
def test_sigma_stays_within_its_bounds(sigma):
    """At a bound half of the children stay exactly there and none passes it."""
    seen, n = view([0.0], sigmas=sigma), 1000
    sigmas = [propose(seen, 0, seed).memo["sigma"] for seed in range(n)]
    assert all(1e-4 <= s <= 0.5 for s in sigmas)
    assert sigmas.count(sigma) == evenly(n, 0.5)


def test_steps_are_isotropic_normal_with_the_childs_sigma():
    """(x' - x) / sigma' is standard normal, independent between coordinates and of sigma'."""
    seen, n = view([0.0], sigmas=0.01), 3000
    made = [propose(seen, 0, seed, rate=0.5) for seed in range(n)]
    sigma = np.array([p.memo["sigma"] for p in made])
    z = (np.array([p.x for p in made]) - 0.5) / sigma[:, np.newaxis]
    all_z = np.column_stack([z, np.log(sigma / 0.01) / 0.5])
    error = 5 / math.sqrt(n)
    assert z.mean(axis=0) == pytest.approx([0, 0], abs=error)
    assert z.std(axis=0) == pytest.approx([1, 1], abs=error / math.sqrt(2))
    assert np.corrcoef(all_z.T) == pytest.approx(np.eye(3), abs=error)


def test_steps_are_reflected_at_the_bounds():
    """From a bound every step leads inside, by the size of the normal step and not to the bound."""
    seen, n = view([0.0], sigmas=0.05, x=(0.0, 1.0)), 1000
    made = np.array([propose(seen, 0, seed, rate=0.0).x for seed in range(n)])
    inward = np.stack([made[:, 0], 1 - made[:, 1]], axis=1) / 0.05
    assert (inward > 0).all()
    half_normal = math.sqrt(2 / math.pi)
    error = 5 * math.sqrt((1 - 2 / math.pi) / n)
    assert inward.mean(axis=0) == pytest.approx([half_normal] * 2, abs=error)


def test_the_unrounded_coordinate_is_inherited():
    """Steps far below one value of an Int or an Ordinal add up instead of being rounded away."""
    space = Space({"k": Int(0, 10), "o": Ordinal(["a", "b", "c"])})
    seen = view([0.0], sigmas=1e-3, x=(0.537, 0.41), space=space)
    for seed in range(20):
        moved = propose(seen, 0, seed, rate=0.0).x
        assert moved == pytest.approx([0.537, 0.41], abs=6e-3)
        assert (moved != [0.537, 0.41]).all()


def test_inherited_dimensions_take_no_step():
    """Architecture stays the parent's to the last bit."""
    space = Space({"x": Float(0.0, 1.0), "k": Int(1, 9, inherit=True)})
    seen = view([0.0, 1.0], x=(0.5, 0.437), space=space)
    assert {propose(seen, member, seed).x[1] for member in (0, 1) for seed in range(20)} == {0.437}


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_choices_are_drawn_anew_with_their_probability(probability):
    """A Choice takes another of three values two thirds of the times that it is drawn anew."""
    space = Space({"c": Choice(["a", "b", "c"]), "x": Float(0.0, 1.0)})
    seen, n = view([0.0], x=(1.0, 0.5), space=space), 3000
    made = Counter(propose(seen, 0, seed, resample_choice=probability).x[0] for seed in range(n))
    assert n - made[1.0] == evenly(n, probability * 2 / 3)


@pytest.mark.parametrize(("burn_in", "expected"), [(0, {10, 11}), (6, {10, 11}), (7, {13})])
def test_no_exploit_during_burn_in(burn_in, expected):
    """In the first `burn_in` steps a member keeps its own weights, though its child takes a step."""
    seen = view([0.0, 1.0, 2.0, 3.0], step=5)
    assert set(parents(seen, 3, burn_in=burn_in)) == expected
    assert propose(seen, 3, burn_in=burn_in).x.tolist() != [0.5, 0.5]


@pytest.mark.parametrize(("size", "expected"), [(6, {10, 11}), (7, {12})])
def test_no_exploit_before_half_have_finished_the_step(size, expected):
    """Three that have finished are half of six members, not of seven."""
    assert set(parents(view([0.0, 1.0, 2.0], size=size), 2)) == expected


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("burn_in", "size"), [(0, 4), (9, 4), (0, 100)])
def test_a_failed_member_is_rescued_at_once(failure, burn_in, size):
    """Its parent and sigma are one of the best k's, in burn-in and with few finished too."""
    seen = view([0.0, 1.0, 2.0, failure], sigmas=[0.01, 0.02, 0.03, 0.4], size=size)
    made = [propose(seen, 3, seed, burn_in=burn_in, rate=0.0) for seed in range(40)]
    assert {(p.parent, p.memo["sigma"]) for p in made} == {(10, 0.01), (11, 0.02)}


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failures_neither_donate_nor_count(failure):
    """k is a quarter of the healthy, and a failed trial is never the parent."""
    seen = view([failure] * 8 + [0.0, 1.0, 2.0])
    assert set(parents(seen, 10)) == {18, 19}


def test_with_nobody_healthy_a_member_starts_afresh():
    """There is no parent then, values are drawn and not taken from init, and sigma is `step` again."""
    space = Space({"x": Float(0.0, 1.0, init=0.5), "y": Float(0.0, 1.0, init=0.5)})
    seen = view([math.nan, math.inf], sigmas=0.3, space=space)
    made = [propose(seen, 0, seed) for seed in range(40)]
    assert {(p.parent, p.memo["sigma"]) for p in made} == {(None, 0.1)}
    assert len({u for p in made for u in p.x}) == 80


def test_its_docstring_says_that_it_is_a_reconstruction():
    """The docstring says in plain words that the algorithm is ours and the paper's text not public."""
    text = " ".join((ROMUL.__doc__ or "").split())
    assert "our reconstruction of 'ROMUL: Scale Adaptative Population Based Training'" in text
    assert "full text is not public" in text
    assert "(mu, lambda) evolution strategy with mutative self-adaptation" in text


@pytest.mark.parametrize(
    ("memo", "expected"),
    [
        ({"sigma": 0.1}, 0.1), ({"sigma": 0.1, "patient": {}}, 0.1), (None, None), ({}, None),
        ([0.1], None), ({"sigma": "0.1"}, None), ({"sigma": True}, None), ({"sigma": math.nan}, None),
    ],
)  # fmt: skip
def test_step_size_of_a_memo(memo, expected):
    """A finite float under 'sigma' is the step size, whatever else is in the memo; all else is none."""
    assert ROMUL.step_size(memo) == expected


def test_a_parent_without_a_step_size_is_refused():
    """A memo that another optimizer wrote is named with its trial."""
    rows = [Row(7, 0, 0, 0, [0.5], 1.0, {"other": 1})]
    seen = View(Space({"x": Float(0.0, 1.0)}), 1, population(rows))
    with pytest.raises(OptimizerError, match=r"trial 7 must hold ROMUL's step size, found {'other'"):
        propose(seen, 0, 0)
