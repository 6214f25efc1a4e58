"""Equals do not replace each other: whose weights a member continues while values tie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim.benchmarks.toys.plateau import EQUAL, Plateau, PlateauState
from hoptim.optimizers.child import child
from hoptim.testing import Row, population
from tests.members import view

SIZE = 8
EVOLVING: dict[str, hoptim.Optimizer] = {
    "ROMUL": hoptim.ROMUL(),
    "TruncationSelection": hoptim.TruncationSelection(),
    "half truncated": hoptim.TruncationSelection(fraction=0.5),
    "Initiator": hoptim.Initiator(),
    "MultiFrequency": hoptim.MultiFrequency(frequencies=(1, 2)),
    "PB2": hoptim.PB2(),
    "Patient(ROMUL)": hoptim.Patient(decisions=6),
    "Patient(TruncationSelection)": hoptim.Patient(hoptim.TruncationSelection(), decisions=100),
}
LOSSES = st.lists(st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]), min_size=2, max_size=9)


def trained(optimizer: hoptim.Optimizer, seed: int, steps: int = 12) -> hoptim.Results:
    """A population on the plateau and a little beyond."""
    problem = Plateau()
    study = hoptim.Study(
        None, space=problem.space, optimizer=optimizer, size=SIZE, steps=steps, mode="min", seed=seed,
        start=problem.start(SIZE, seed), synchronous=True,
    )  # fmt: skip
    states: dict[int, PlateauState] = {}
    for trial in study:
        state = problem.begin(trial.seed) if trial.parent is None else states[trial.parent]
        states[trial.number], loss = problem.train(state, trial.params, 1, trial.seed)
        trial.tell(loss)
    return study.results()


def founders(results: hoptim.Results, step: int) -> set[int]:
    """The members whose first weights are still trained at a step."""
    trials = [trial for trial in results.trials if trial.step == step]
    return {results.lineage(trial).founder.member for trial in trials}


@pytest.mark.parametrize("name", EVOLVING)
def test_a_plateau_keeps_all_weights(name):
    """After five equal values all founders are there, and who wins later differs from seed to seed."""
    winners = set()
    for seed in range(20):
        results = trained(EVOLVING[name], seed)
        assert {trial.value for trial in results.trials if trial.step < EQUAL} == {1.0}
        assert founders(results, EQUAL) == set(range(SIZE))
        winners.add(results.lineage().founder.member)
    assert len(winners) > 3


@pytest.mark.parametrize("name", EVOLVING)
def test_values_that_differ_are_copied_again(name):
    """Once the plateau has ended, better weights replace others."""
    assert len(founders(trained(EVOLVING[name], 0, steps=60), 59)) < SIZE


@pytest.mark.parametrize(
    "optimizer", [hoptim.ROMUL(), hoptim.TruncationSelection(), hoptim.MultiFrequency(frequencies=(1,))]
)
@pytest.mark.parametrize("seed", range(20))
def test_hyperparameters_change_as_if_an_equal_was_copied(optimizer, seed):
    """The last of eight equals gets the same hyperparameters and memo as if it were slightly worse."""
    equal, worse = (last_of_equals(optimizer, loss, seed) for loss in (0.0, 1e-9))
    assert (equal.x.tolist(), equal.memo) == (worse.x.tolist(), worse.memo)
    assert equal.parent == SIZE - 1 != worse.parent


def last_of_equals(optimizer: hoptim.Optimizer, loss: float, seed: int) -> hoptim.Proposal:
    """The next trial of the last member, whose loss is this one where the others' is 0."""
    losses = [*[0.0] * (SIZE - 1), loss]
    rows = [Row(i, i, 0, 0, [i / 10], each, {"sigma": 0.1 + i / 100}) for i, each in enumerate(losses)]
    seen = hoptim.View(hoptim.Space(Plateau.space), SIZE, population(rows))
    return optimizer.propose(seen, SIZE - 1, np.random.default_rng(seed))


@given(losses=LOSSES, seed=st.integers(0, 9))
@settings(max_examples=60)
def test_weights_come_from_the_own_trial_or_a_better_one(losses, seed):
    """Whatever ties and failures there are, a healthy member's parent is its own trial or has less loss."""
    seen, optimizer = view(losses), hoptim.TruncationSelection(fraction=0.5)
    loss, healthy = seen.population.loss, seen.population.healthy
    for member in range(len(losses)):
        parent = optimizer.propose(seen, member, np.random.default_rng(seed)).parent
        if healthy[member]:
            assert parent == 10 + member or loss[parent - 10] < loss[member]
        else:
            assert healthy[parent - 10] if healthy.any() else parent is None


def test_inherited_dimensions_stay_those_of_the_weights():
    """With its own weights a member keeps what belongs to them, with a donor's it takes the donor's."""
    space = hoptim.Space({"lr": hoptim.Float(0.0, 1.0), "layers": hoptim.Float(0.0, 1.0, inherit=True)})
    rows = [Row(i, i, 0, 0, [0.5, 0.1 * i], loss) for i, loss in enumerate([1.0, 1.0, 2.0, math.nan])]
    seen = hoptim.View(space, 4, population(rows))
    x = np.array([0.7, 0.0])
    made = [child(seen, row, 0, x, {"row": row}) for row in range(4)]
    assert [proposal.parent for proposal in made] == [0, 1, 0, 0]
    assert [proposal.x.tolist() for proposal in made] == [[0.7, 0.0], [0.7, 0.1], [0.7, 0.0], [0.7, 0.0]]
    assert [proposal.memo for proposal in made] == [{"row": row} for row in range(4)]


def test_training_on_the_plateau_is_a_function_of_its_arguments():
    """The same state and h make the same progress; ten steps are ten times one."""
    problem, state = Plateau(), Plateau().begin(3)
    assert state == problem.begin(3) != problem.begin(4)
    for _ in range(10):
        state, loss = problem.train(state, {"h": 0.6}, 1, 0)
    assert problem.train(problem.begin(3), {"h": 0.6}, 10, 1) == (state, loss)
    assert problem.start(SIZE, 0) == problem.start(SIZE, 0) != problem.start(SIZE, 1)


def test_nobody_leaves_the_plateau_within_five_steps():
    """Even the highest quality with the best h has a loss of 1 after five steps; slower ones for longer."""
    problem = Plateau()
    state = problem.begin(0)._replace(quality=1.0)
    assert problem.train(state, {"h": 0.7}, EQUAL, 0)[1] == 1
    assert problem.train(state, {"h": 0.7}, EQUAL + 2, 0)[1] == 0.95
    assert problem.train(state, {"h": 0.0}, EQUAL + 2, 0)[1] == 1
