"""The ranking that all optimizers share, and what a population keeps safe."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import Population
from hoptim.testing import Row, population

any_loss = st.one_of(st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf]), st.floats(-1e9, 1e9))


def told(losses: Sequence[float], numbers: Sequence[int] | None = None) -> Population:
    """A population with these losses; members and numbers count from 0 unless told otherwise."""
    rows = zip(range(len(losses)) if numbers is None else numbers, losses, strict=True)
    return population([Row(n, i, 0, 0, [0.5], loss, {"i": i}) for i, (n, loss) in enumerate(rows)])


def test_ranks_from_best_to_worst():
    """The lowest loss is the first of the ranking."""
    assert told([3.0, 1.0, 2.0]).ranking.tolist() == [1, 2, 0]


def test_ties_rank_the_lower_number_first():
    """Among equal losses the trial proposed earlier is better, wherever its row is."""
    assert told([1.0, 0.0, 1.0, 1.0], numbers=[7, 3, 9, 5]).ranking.tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failures_have_no_rank(failure):
    """A loss that is not finite is unhealthy and not ranked, not even -inf."""
    found = told([2.0, failure, 1.0])
    assert found.healthy.tolist() == [True, False, True]
    assert found.ranking.tolist() == [2, 0]


@given(losses=st.lists(any_loss, max_size=9), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_ranking_sorts_by_loss_then_number(losses, seed):
    """The ranking is what sorting (loss, number) of the healthy rows gives, in any order of rows."""
    numbers = np.random.default_rng(seed).permutation(len(losses)).tolist()
    healthy = [(loss, number) for loss, number in zip(losses, numbers, strict=True) if math.isfinite(loss)]
    found = told(losses, numbers)
    assert sorted(healthy) == [(found.loss[row], found.number[row]) for row in found.ranking]


@pytest.mark.parametrize(
    ("fraction", "healthy", "k"),
    [
        (0.2, 1, 1), (0.2, 2, 1), (0.2, 7, 1), (0.2, 8, 2), (0.2, 12, 2), (0.2, 13, 3), (0.2, 16, 3),
        (0.25, 1, 1), (0.25, 5, 1), (0.25, 6, 2), (0.25, 10, 3), (0.25, 16, 4),
        (0.5, 1, 1), (0.5, 2, 1), (0.5, 3, 2), (0.5, 5, 3), (1e-9, 100, 1),
    ],
)  # fmt: skip
def test_k_by_hand(fraction, healthy, k):
    """k is the fraction of the healthy trials rounded half up, and at least 1."""
    found = told([float(i) for i in range(healthy)] + [math.nan, math.inf])
    assert found.best(fraction).tolist() == list(range(k))


def test_best_can_be_told_a_least_number():
    """`at_least` raises k, but never beyond the trials that are healthy."""
    assert told([2.0, 1.0, 3.0]).best(0.25, at_least=2).tolist() == [1, 0]
    assert told([2.0, math.nan]).best(0.25, at_least=2).tolist() == [0]


def test_nobody_is_best_when_nobody_is_healthy():
    """Without a healthy trial there is nobody to take over from."""
    assert told([math.nan, math.inf, -math.inf]).best(0.5).tolist() == []


def test_rows_are_found_by_member():
    """`row` finds a member's row in any order of rows, and None when it has no trial yet."""
    rows = [Row(4, 2, 1, 1, [0.1], 1.0), Row(3, 0, 1, 0, [0.2], 2.0)]
    assert [population(rows).row(member) for member in range(3)] == [1, None, 0]


def test_arrays_cannot_be_written():
    """An optimizer that tries to write into the population is stopped."""
    found = told([1.0, 2.0])
    for name in ("number", "member", "step", "age", "parent", "x", "loss"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[0] = 0


@given(data=st.data(), n=st.integers(16, 40))
@settings(max_examples=60)
def test_a_ranking_is_derived_without_a_sort(data, n):
    """When few rows are other trials, the ranking is that of a sort, failures and ties included."""
    losses = data.draw(st.lists(any_loss, min_size=n, max_size=n))
    before, rows = told(losses), data.draw(st.sets(st.integers(0, n - 1), max_size=2))
    for row in rows:
        losses[row] = data.draw(any_loss)
    numbers = [i + n * (i in rows) for i in range(n)]
    after, ranking = told(losses, numbers), before.ranking.tolist()
    assert [before.row(member) for member in (0, n)] == [0, None]
    with pytest.MonkeyPatch.context() as patch:
        if len(rows) * 16 <= n:
            patch.delattr(np, "lexsort")
        after.derive_from(before, rows)
        found = after.ranking.tolist(), [after.row(member) for member in (0, n)]
    assert found == (told(losses, numbers).ranking.tolist(), [0, None])
    assert before.ranking.tolist() == ranking


@pytest.mark.parametrize("n", [1, 5])
def test_a_row_precedes_those_that_rank_behind_it(n):
    """The order of two healthy rows is that of the ranking, and a row is among the best up to itself."""
    found = told([3.0, 1.0, 2.0, 1.0, 1.0][:n])
    order = found.ranking.tolist()
    for i, row in enumerate(order):
        assert [found.precedes(row, other) for other in order] == [i <= j for j in range(n)]


def test_an_empty_population_has_nobody():
    """Before any trial has finished there are no rows, no ranking and no best."""
    empty = Population.empty()
    assert (len(empty), empty.ranking.tolist(), empty.best(0.5).tolist(), empty.row(0)) == (0, [], [], None)


def test_its_length_counts_failures_too():
    """The length is the number of trials, healthy or not."""
    assert len(told([1.0, math.nan])) == 2
