"""MixedHorizon: its groups, what each takes from whom, and that it is not short-sighted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hoptim
from hoptim import MixedHorizon, OptimizerError, View
from hoptim.benchmarks.problem import train as trained
from hoptim.benchmarks.toys.moving import Wave
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.optimizers.mixed_horizon import greedy_of, is_greedy
from hoptim.space.space import Space
from hoptim.testing import Row, population
from tests.builders import recompute, study, train

SPACE = Space({"x": hoptim.Float(0.0, 1.0), "depth": hoptim.Int(1, 9, inherit=True)})
GREEDY, PATIENT = (0, 3, 6), (1, 2, 4, 5, 7)  # of eight
NAN = float("nan")


def asked(losses, member, step=7, steps=64, seed=0):
    """Member whose weights a member's next trial continues, and its coordinates; a period has 8 steps."""
    note = {"begun": 0, "before": None, "early": None}
    rows = [
        Row(100 + m, m, step, step, [0.1 * (m + 1), m / 20], loss, {"sigma": 0.1, "patient": note})
        for m, loss in enumerate(losses)
    ]
    view = View(SPACE, len(losses), population(rows), steps=steps)
    made = MixedHorizon().propose(view, member, np.random.default_rng(seed))
    return None if made.parent is None else made.parent - 100, made.x.tolist()


def own(member):
    """What a member goes on with when it stays as it is."""
    return member, pytest.approx([0.1 * (member + 1), member / 20])


@given(st.integers(1, 300))
def test_three_of_eight_members_are_greedy(size):
    """Their number is 3/8 of any size, to less than one, and both groups have one of any two members."""
    greedy = sum(map(is_greedy, range(size)))
    assert greedy == greedy_of(size)
    assert abs(greedy - 3 * size / 8) < 1
    assert size - greedy >= (1 if size > 1 else 0)


@given(st.integers(0, 1000), st.integers(1, 8))
def test_any_few_members_in_a_row_are_of_both_groups(first, length):
    """Groups are spread, so a study that starts late or loses members has both: three in a row do."""
    kinds = {is_greedy(member) for member in range(first, first + length)}
    assert length < 3 or kinds == {True, False}


LOSSES = [5.0, 4.0, 3.0, 6.0, 2.0, 7.0, 1.0, 8.0]  # the best is greedy, then two patient ones


def test_the_best_greedy_member_stays_as_it_is():
    """Weights and hyperparameters, after any step."""
    assert [asked(LOSSES, 6, step) for step in (0, 6, 7)] == [own(6)] * 3


@pytest.mark.parametrize("member", [0, 3])
@pytest.mark.parametrize("step", [0, 6, 7])
def test_other_greedy_members_take_from_the_best_of_all_after_each_step(member, step):
    """Of its own group or of the other: weights, and hyperparameters with a step."""
    swapped = [1.5 if m == 6 else 0.5 if m == 4 else loss for m, loss in enumerate(LOSSES)]
    for losses, best in ((LOSSES, 6), (swapped, 4)):
        parent, x = asked(losses, member, step)
        assert parent == best
        assert x[0] != 0.1 * (best + 1)


def test_equals_of_the_best_are_parents_too():
    """An equal steps from its own hyperparameters, others are spread over the equals; the first stays."""
    losses = [2.0, 1.0, 3.0, 1.0, 2.0, 1.0, 2.0, 1.0]  # best: 1, 3, 5, 7, of which 3 is greedy
    assert [asked(losses, member)[0] for member in GREEDY] == [1, 3, 5]
    assert asked([1.0] * 8, 0) == own(0)
    found = [asked([1.0] * 8, 6, seed=seed) for seed in range(40)]
    assert {parent for parent, _ in found} == {6}
    assert np.mean([x[0] for _, x in found]) == pytest.approx(0.7, abs=0.05)  # its own, not the first's 0.1
    assert len({x[0] for _, x in found}) == 40


@pytest.mark.parametrize("member", PATIENT)
def test_patient_members_wait_for_the_end_of_a_period(member):
    """Whatever the others do."""
    assert asked(LOSSES, member, step=6) == own(member)


@pytest.mark.parametrize("member", [1, 5, 7])
def test_then_they_take_from_their_own_group_alone(member):
    """From its best quarter, at least two, never from the greedy ones, though these are better now."""
    assert {asked(LOSSES, member, seed=seed)[0] for seed in range(20)} == {2, 4}


def test_in_a_study_no_patient_member_takes_greedy_weights():
    """While one of its group is healthy; greedy ones take from both groups."""
    made = train(study(None, size=16, steps=40, optimizer=MixedHorizon()))
    member = {trial.number: trial.member for trial in made.trials}
    taken = {
        (is_greedy(t.member), is_greedy(member[t.parent])) for t in made.trials if t.parent is not None
    }
    assert taken == {(True, True), (True, False), (False, False)}


def test_failed_members_are_rescued():
    """By the best of their group, else of all; with nobody healthy they begin anew."""
    assert asked([NAN if m == 1 else loss for m, loss in enumerate(LOSSES)], 1, step=3)[0] in (2, 4)
    assert asked([NAN if m in PATIENT else loss for m, loss in enumerate(LOSSES)], 1, step=3)[0] in (0, 6)
    assert asked([NAN if m in GREEDY else loss for m, loss in enumerate(LOSSES)], 0, step=3)[0] == 4
    assert {asked([NAN] * 8, m, step=3)[0] for m in range(8)} == {None}


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_few_members_are_enough_to_go_on(size):
    """A group of one, or none, trains to the end."""
    assert train(study(None, size=size, steps=20, optimizer=MixedHorizon())).done


def test_a_study_is_opened_by_its_path_alone(tmp_path):
    """The optimizer comes back from JSON, and the journal can be recomputed."""
    made = train(study(tmp_path / "s", size=8, steps=20, optimizer=MixedHorizon()))
    assert hoptim.load(made.path).optimizer == made.optimizer
    recompute(tmp_path / "s")


def test_a_memo_without_a_step_size_is_refused():
    """The message names the trial."""
    note = {"patient": {"begun": 0, "before": None, "early": None}}
    rows = [Row(m, m, 0, 0, [0.5, 0.5], float(m), note) for m in range(4)]
    with pytest.raises(OptimizerError, match="The memo of trial 0 must hold ROMUL's step size"):
        MixedHorizon().propose(View(SPACE, 4, population(rows), steps=9), 3, np.random.default_rng(0))


def test_it_is_neither_short_sighted_nor_slow():
    """It ends below the best constant, 0.32, on one problem, and follows a moving value on another."""
    quadratic, wave = (
        np.mean(
            [
                np.log10(trained(problem, MixedHorizon(), interval=interval, seed=seed).final)
                for seed in range(3)
            ]
        )
        for problem, interval in ((NoisyQuadratic(), 3), (Wave(), 1))
    )
    assert quadratic < np.log10(0.28)
    assert wave < -3  # Patient: -2.1, ROMUL: -4.3
