"""PB2: the Gaussian process, what it is told, and what it chooses."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import PB2, TruncationSelection, View
from hoptim.optimizers import _gaussian_process as gp
from hoptim.optimizers import pb2
from hoptim.optimizers._gains import Gains
from hoptim.optimizers.population import Population
from hoptim.space.space import Space
from hoptim.testing import OptimizerConformance, Row, population
from tests.builders import recompute, study, train

SPACE = Space(
    {
        "x": hoptim.Float(0.0, 1.0),
        "act": hoptim.Choice(["relu", "gelu"]),
        "n": hoptim.Int(1, 9),
        "depth": hoptim.Int(1, 9, inherit=True),
    }
)
THETA = st.tuples(*(st.floats(math.log(low), math.log(high)) for low, high in gp._BOUNDS))


class TestPB2(OptimizerConformance):
    """PB2 as it comes."""

    def make(self) -> hoptim.Optimizer:
        return PB2()


class TestPB2WithOtherSettings(OptimizerConformance):
    """Halves, choices always drawn anew."""

    def make(self) -> hoptim.Optimizer:
        return PB2(0.5, resample_choice=1.0, burn_in=1)


def data(seed, n=12, d=2):
    """Inputs and values of a made process."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(0, 6, n), rng.random((n, d))]), rng.standard_normal(n)


def seen(seed=0, scale=1.0, shift=0.0, steps=4, size=8):
    """A view of members that trained so many steps, the last step of the first two not told yet."""
    rng = np.random.default_rng(seed)
    rows, loss = [], np.zeros(size)
    for step in range(steps):
        for member in range(size):
            x = [rng.random(), float(rng.integers(2)), rng.random(), 0.5]
            loss[member] += rng.integers(1, 1000) / 1024  # exact when scaled by 4 and shifted
            number = step * size + member
            parent = number - size if step else -1
            rows.append(
                Row(number, member, step, step, x, float(loss[member]) * scale + shift, None, parent)
            )
    last, running = rows[-size:], [rows[-1]._replace(number=len(rows), step=steps, loss=math.nan)]
    return View(
        SPACE,
        size,
        population(last),
        _history=lambda: population(rows),
        _running=lambda: population(running),
    )


def asked(view, member, seed=0, **settings):
    """The next trial of a member."""
    return PB2(**settings).propose(view, member, np.random.default_rng(seed))


def worst(view):
    """The member with the largest loss."""
    return int(view.population.member[view.population.ranking[-1]])


@settings(max_examples=50, deadline=None)
@given(THETA, st.integers(0, 99))
def test_the_gradient_of_the_likelihood_is_that_of_differences(theta, seed):
    """In each of the four hyperparameters, anywhere within their bounds."""
    inputs, y = data(seed)
    value = partial(gp.negative_log_likelihood, between=gp.distances(inputs, inputs), y=y)
    _, gradient = value(np.array(theta))
    step = 1e-5 * np.eye(4)
    differences = [(value(theta + h)[0] - value(theta - h)[0]) / 2e-5 for h in step]
    assert gradient == pytest.approx(differences, rel=1e-4, abs=1e-4)


def test_the_likelihood_is_that_of_a_normal_distribution():
    """With the covariance written out element by element."""
    (inputs, y), theta = data(0), np.log([1.5, 0.4, 0.1, 0.2])
    k = np.array([[direct(a, b) for b in inputs] for a in inputs]) + 0.2 * np.eye(len(y))
    expected = 0.5 * (y @ np.linalg.solve(k, y) + np.linalg.slogdet(2 * math.pi * k)[1])
    assert gp.negative_log_likelihood(theta, gp.distances(inputs, inputs), y)[0] == pytest.approx(expected)


def direct(a, b):
    """The covariance of two inputs for a variance of 1.5, a length of 0.4 and an epsilon of 0.1."""
    squares = sum((a[1:] - b[1:]) ** 2)
    return 1.5 * 0.9 ** (abs(a[0] - b[0]) / 2) * math.exp(-squares / (2 * 0.4**2))


def test_the_posterior_is_that_of_the_formula():
    """Mean and variance by an inverse."""
    (inputs, y), theta, at = data(1), np.log([1.5, 0.4, 0.1, 0.2]), data(2, n=5)[0]
    inverse = np.linalg.inv(
        np.array([[direct(a, b) for b in inputs] for a in inputs]) + 0.2 * np.eye(len(y))
    )
    k = np.array([[direct(a, b) for b in inputs] for a in at])
    mean, deviation = gp.condition(inputs, y, theta).at(at)
    assert mean == pytest.approx(k @ inverse @ y)
    assert deviation**2 == pytest.approx(1.5 - np.sum(k @ inverse * k, axis=1))


@settings(max_examples=30, deadline=None)
@given(THETA, st.integers(0, 99))
def test_hallucinated_points_shrink_the_deviation_and_leave_the_mean(theta, seed):
    """Most where they are; nowhere does it grow."""
    (inputs, y), pending, others = data(seed), data(seed + 100, n=3)[0], data(seed + 200, n=20)[0]
    model = gp.condition(inputs, y, np.array(theta))
    at = np.vstack([pending, others])
    (mean, deviation), (same, smaller) = model.at(at), model.hallucinated(pending).at(at)
    assert same == pytest.approx(mean, abs=1e-6)
    assert (smaller <= deviation + 1e-6).all()
    assert (smaller[:3] < deviation[:3]).all()


def test_the_fit_finds_what_made_the_values():
    """A smooth function that does not change is told from one that does, and from noise."""
    rng = np.random.default_rng(0)
    inputs = np.column_stack([np.repeat(np.arange(10), 10), rng.random(100)])
    still, drifting = np.sin(6 * inputs[:, 1]), np.sin(6 * inputs[:, 1] + inputs[:, 0])
    noise = rng.standard_normal(100)
    epsilon, variance = {}, {}
    for name, y in (("still", still), ("drifting", drifting), ("noise", noise)):
        _, _, epsilon[name], variance[name] = np.exp(gp.fit(inputs, y))
    assert epsilon["still"] < 0.01 < epsilon["drifting"]
    assert max(variance["still"], variance["drifting"]) < 0.1 < variance["noise"]


def test_gains_are_the_changes_from_parents_up_to_the_own_step():
    """First trials and failures have none; they have mean 0 and deviation 1."""
    rows = [
        Row(0, 0, 0, 0, [0.1, 0, 0.2, 0], 5.0),
        Row(1, 1, 0, 0, [0.2, 0, 0.2, 0], 7.0),
        Row(2, 0, 1, 1, [0.3, 1, 0.4, 0], 4.0, None, 0),
        Row(3, 1, 1, 1, [0.4, 0, 0.4, 0], 2.0, None, 0),
        Row(4, 0, 2, 2, [0.5, 0, 0.4, 0], 1.0, None, 3),
        Row(5, 1, 2, 2, [0.6, 0, 0.4, 0], math.inf, None, 3),
    ]
    view = View(SPACE, 2, population(rows[2:4]), _history=lambda: population(rows))
    inputs, gains = pb2._gains(view, 1)
    assert inputs.tolist() == [[1, 0.3, 0.4], [1, 0.4, 0.4]]
    assert gains == pytest.approx([-1, 1])
    assert pb2._gains(view, 2)[0].tolist() == [[1, 0.3, 0.4], [1, 0.4, 0.4], [2, 0.5, 0.4]]
    assert pb2._pending(view, 1).tolist() == [[2, 0.5, 0.4], [2, 0.6, 0.4]]


LOSSES = st.sampled_from([0.0, 1.0, 2.5, -4.0, 1e308, -1e308, math.inf, math.nan])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), LOSSES, st.integers(0, 40)), max_size=80))
def test_the_latest_gains_are_those_of_the_whole_history(events):
    """And so is what is pending: at any step, whoever runs ahead and in whatever order trials end."""
    kept, ended, running, steps = Gains(5, 3), [], {}, Counter()
    for member, loss, parent in events:  # it ends its trial, or else begins one
        if member in running:
            ended.append(running.pop(member)._replace(loss=loss))
            kept.ended(ended[-1])
        else:
            number, known = len(ended) + len(running), [*(trial.number for trial in ended), -1]
            running[member] = Row(
                number, member, steps[member], 0, [0.5, number], math.nan, None, known[parent % len(known)]
            )
            kept.begun(running[member])
            steps[member] += 1
    past = Population.of(sorted(ended), 2)
    for step in range(20):
        assert [(each.number, each.gain) for each in kept.up_to(step)] == gains_by_arrays(past, step, 5)
        assert all(each.x == [0.5, each.number] for each in kept.up_to(step))
        later = [*past.number[past.step > step], *(trial.number for trial in running.values())]
        seen = [each.number for each in (*kept.after(step), *running.values())]
        assert sorted(seen)[-3:] == sorted(later)[-3:]


def gains_by_arrays(past, step, most):
    """Numbers and gains of the latest trials up to a step, with all trials as arrays."""
    if not len(past):
        return []
    parent = np.minimum(np.searchsorted(past.number, past.parent), len(past) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        gain = past.loss[parent] - past.loss
    known = (past.number[parent] == past.parent) & (past.step <= step) & np.isfinite(gain)
    rows = np.flatnonzero(known)[-most:]
    return [*zip(past.number[rows].tolist(), gain[rows].tolist(), strict=True)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=9))
def test_normalised_gains_are_finite(gains):
    """However large, small or equal they are."""
    found = pb2._normalised(np.array(gains))
    assert (np.abs(found) <= 2).all()


@pytest.mark.parametrize(("scale", "shift"), [(4.0, 0.0), (1.0, 16.0), (0.25, -8.0)])
def test_scale_and_shift_of_losses_do_not_matter(scale, shift):
    """The same trial is proposed."""
    view = seen()
    first, other = asked(view, worst(view)), asked(seen(scale=scale, shift=shift), worst(view))
    assert (first.parent, first.x.tolist()) == (other.parent, other.x.tolist())


def test_an_exploit_is_that_of_truncation_except_for_ordered_hyperparameters():
    """Parent, choice and inherited are the same; others are chosen, and who does not exploit goes on."""
    view, changed = seen(), set()
    for member in range(view.size):
        other = TruncationSelection(0.25, resample=0.25).propose(view, member, np.random.default_rng(3))
        made = asked(view, member, seed=3)
        assert (made.parent, made.x[1], made.x[3]) == (other.parent, other.x[1], other.x[3])
        if made.x.tolist() != other.x.tolist():
            changed.add(member)
    ranking = view.population.member[view.population.ranking].tolist()
    assert changed == set(ranking[-2:])


def test_without_gains_it_is_truncation():
    """After the first step nothing has changed yet, and equal changes say nothing."""
    for view in (seen(steps=1), replace(seen(steps=1), _history=Population.empty)):
        made = asked(view, worst(view))
        other = TruncationSelection(0.25, resample=0.25).propose(
            view, worst(view), np.random.default_rng(0)
        )
        assert (made.parent, made.x.tolist()) == (other.parent, other.x.tolist())


def test_members_that_ask_after_one_step_share_one_model():
    """Whatever has been told since."""
    view, now = seen(steps=4), seen(steps=3)
    before = replace(now, _history=lambda: view.history)
    pb2._model.cache_clear()
    for known in (now, before):
        asked(known, worst(now))
    assert pb2._model.cache_info()[:2] == (1, 1)  # hits, misses


def test_what_is_pending_is_kept_away_from():
    """The same ask, with a trial of its very choice under way, chooses elsewhere."""
    view = seen()
    first = asked(view, worst(view))
    running = view.running.rows() + [
        Row(99 + i, 7, 4, 4, first.x.tolist(), math.nan, None, first.parent) for i in range(30)
    ]
    other = asked(replace(view, _running=lambda: population(running)), worst(view))
    assert np.abs(first.x - other.x).max() > 0.02


def test_the_choice_is_where_the_bound_is_largest():
    """Close to the maximum of a smooth function, on an edge, too."""
    for top in (0.3, 1.0):
        found = pb2._maximised(
            lambda x, top=top: -np.sum((x - top) ** 2, axis=1), 2, np.random.default_rng(0)
        )
        assert found == pytest.approx([top] * 2, abs=0.02)


def test_a_journal_is_recomputed(tmp_path):
    """Each proposal follows from the records before it, and settings come back from JSON."""
    made = train(study(tmp_path / "s", size=8, steps=6, optimizer=PB2(0.5)))
    assert hoptim.load(made.path).optimizer == made.optimizer
    pb2._model.cache_clear()
    recompute(tmp_path / "s")


def gained(optimizer, seed, steps=40):
    """The best sum of rewards whose four best hyperparameters move to and fro."""
    space = {f"x{i}": hoptim.Float(0.0, 1.0) for i in range(4)}
    made = hoptim.Study(
        None,
        space=space,
        optimizer=optimizer,
        size=16,
        steps=steps,
        mode="max",
        seed=seed,
        synchronous=True,
    )
    total = {None: 0.0}
    for trial in made:
        best = 0.5 + 0.4 * math.sin(0.2 * trial.step)
        reward = 1 - sum((x - best) ** 2 for x in trial.params.values())
        total[trial.number] = total[trial.parent] + reward
        trial.tell(total[trial.number])
    return made.best.value


def test_it_follows_an_optimum_that_moves():
    """It loses less than half of what uniform draws in its place lose, on each of three seeds."""
    for seed in range(3):
        lost, by_draws = (40 - gained(o, seed) for o in (PB2(), TruncationSelection(0.25, resample=1.0)))
        assert lost < by_draws / 2


@pytest.mark.parametrize("name", ["fraction", "resample_choice", "burn_in"])
def test_settings_out_of_range_are_refused(name):
    """The message names the setting."""
    with pytest.raises(hoptim.ArgumentError, match=f"PB2: {name} must be a number from"):
        PB2(**{name: -1})
