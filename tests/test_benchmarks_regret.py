"""The regret benchmark: the measure, its testbeds, and the command line."""

from __future__ import annotations

import importlib.util
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.problem import train
from hoptim.benchmarks.toys.changed import Idle, Noisy, Rounded
from hoptim.benchmarks.toys.momentum import Momentum
from hoptim.benchmarks.toys.moving import Jumps, Walk, Wave
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regret import (
    RANDOM_SEARCH,
    USUAL,
    RegretOptions,
    RegretRow,
    normalised_regrets,
)
from hoptim.benchmarks.toys.regret_report import report
from hoptim.benchmarks.toys.testbeds import CHOSEN_ON, KEPT_ASIDE, TESTBEDS
from hoptim.benchmarks.toys.triangle import Triangle
from tests.builders import ROOT

SMALL = ("regret", "--runs", "2", "--members", "4", "--workers", "1", "--testbeds")

needs_digits = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the extra hoptim[examples] is not installed"
)
NAMES = [pytest.param(name, marks=needs_digits if name == "regularisation" else ()) for name in TESTBEDS]


# -- the measure ---------------------------------------------------------------------------------------

COUNTS = st.integers(-1000, 1000)  # whole numbers, so that no rounding decides what is within two errors
SCORES = arrays(np.int64, (4, 6), elements=COUNTS)


@given(SCORES)
def test_the_best_method_has_no_regret_and_none_a_negative_one(scores):
    """If any method is better than random search at all."""
    *methods, random = scores.astype(float)
    found = normalised_regrets(dict(enumerate(methods)), random)
    means = np.mean(methods, axis=1)
    if found is None:
        assert random.mean() - means.min() <= 2 * 1000
    else:
        assert found[int(means.argmin())] == 0
        assert min(found.values()) >= 0


@given(SCORES, st.integers(-20, 20), COUNTS)
def test_scale_and_shift_of_scores_do_not_matter(scores, doublings, shift):
    """Units and zero of a loss are a convention."""
    *methods, random = scores.astype(float)
    *others, other = (scores + shift) * 2.0**doublings
    found, again = (
        normalised_regrets(dict(enumerate(methods)), random),
        normalised_regrets(dict(enumerate(others)), other),
    )
    assert found == (None if again is None else pytest.approx(again))


def test_regret_is_the_share_of_the_gain_that_is_left():
    """Of three methods, one is a quarter of the way back to random search and one beyond it."""
    methods = {"a": np.array([1.0, 3.0]), "b": np.array([2.0, 4.0]), "c": np.array([7.0, 9.0])}
    assert normalised_regrets(methods, np.array([5.0, 7.0])) == {"a": 0, "b": 0.25, "c": 1.5}


def test_differences_within_two_standard_errors_count_as_none():
    """They are taken seed by seed: a difference of 1 is seen if each seed has it, not if two of four do."""
    best, random = np.array([0.0, 50.0, 10.0, 30.0]), np.full(4, 1000.0)
    methods = {"best": best, "steady": best + 1, "unsteady": best + np.array([4, -2, 3, -1])}
    found = normalised_regrets(methods, random)
    assert found is not None
    assert found["unsteady"] == 0 < found["steady"]


def test_nothing_is_measured_where_random_search_is_best():
    """Or as good as the best within the error."""
    scores = np.array([1.0, 2.0, 3.0])
    assert normalised_regrets({"a": scores + 1}, scores) is None
    assert normalised_regrets({"a": scores}, scores + np.array([1.0, -1.0, 0.5])) is None


def test_scores_that_span_decades_are_compared_by_their_logarithms():
    """Half of the decades that were to be gained is a regret of 1/2."""
    finals = {"a": np.full(2, 1e-8), "b": np.full(2, 1e-4), RANDOM_SEARCH: np.ones(2)}
    assert RegretRow("jaderberg", finals).regrets == {"a": 0, "b": pytest.approx(0.5)}
    assert RegretRow("triangle", finals).regrets == {"a": 0, "b": pytest.approx(1e-4, rel=1e-3)}


# -- the testbeds --------------------------------------------------------------------------------------


def test_those_kept_aside_are_others():
    """No testbed is on both lists, and at least three are kept aside."""
    assert not CHOSEN_ON.keys() & KEPT_ASIDE.keys()
    assert len(KEPT_ASIDE) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_training_is_a_function_of_its_arguments(name):
    """The same state, hyperparameters and seed give the same finite loss; the state stays as it was."""
    problem, interval, _ = TESTBEDS[name]
    assert problem.steps % interval == 0
    space, (params, *_) = hoptim.Space(problem.space), problem.start(4, 0)
    assert space.contains(space.encode(params).tolist())
    state = problem.begin(3)
    first, again = (problem.train(state, params, interval, 5) for _ in range(2))
    assert first[1] == again[1]
    assert np.isfinite(problem.score(*first))
    assert problem.train(first[0], params, 1, 7)[1] == problem.train(again[0], params, 1, 7)[1]


@pytest.mark.parametrize("problem", [Wave(), Jumps(), Walk()])
def test_what_moves_can_be_followed(problem):
    """Along its path every step gains a tenth, which no constant does."""
    state = problem.begin(0)
    for best in problem.path():
        state, loss = problem.train(state, dict(zip(problem.space, best.tolist(), strict=True)), 1, 0)
    assert loss == pytest.approx(0.9**problem.steps)
    constant = train(problem, hoptim.ROMUL(), interval=problem.steps).final
    assert np.log10(constant) > 0.7 * np.log10(loss)


def test_the_triangles_best_rate_follows_the_accuracy():
    """At 50 of 200 it is half of the highest: half and twice of it gain less."""
    gains = [
        -sum(Triangle().train(50.0, {"lr": lr}, 1, seed)[1] for seed in range(300))
        for lr in (0.0025, 0.005, 0.01)
    ]
    assert gains[1] == max(gains)


def test_without_momentum_the_quadratics_agree():
    """m = 0 is the recursion of the mean squares of `NoisyQuadratic`, whose noise is h as well."""
    a, problem = 0.3, Momentum()
    state, h = problem.begin(0), 1 / np.arange(1, 41) ** 1.5
    expected = np.ones(40)
    for _ in range(5):
        state, loss = problem.train(state, {"a": a, "one_minus_m": 1.0}, 1, 0)
        expected = (1 - a * h) ** 2 * expected + a**2 * h
    assert state[0] == pytest.approx(expected)
    assert loss == pytest.approx(0.5 * h @ expected)


def test_momentum_is_the_mean_of_single_runs():
    """Simulated with normal noise, the mean loss of many runs agrees within five standard errors."""
    a, m, n = 0.2, 0.8, 20_000
    h, rng = 1 / np.arange(1, 41) ** 1.5, np.random.default_rng(0)
    x, v = np.ones((n, 40)), np.zeros((n, 40))
    for _ in range(10):
        v = m * v - a * (h * x + np.sqrt(h) * rng.standard_normal((n, 40)))
        x = x + v
    losses = 0.5 * x**2 @ h
    loss = Momentum().train(Momentum().begin(0), {"a": a, "one_minus_m": 1 - m}, 10, 0)[1]
    assert losses.mean() == pytest.approx(loss, abs=5 * losses.std() / n**0.5)


def test_changed_problems_are_judged_by_the_loss_itself():
    """Told with noise or rounded, or with hyperparameters that do nothing, the training is the same."""
    exact = NoisyQuadratic()
    _, loss = exact.train(exact.begin(0), {"a": 0.1}, 3, 5)
    for problem in (Noisy(exact), Rounded(exact), Idle(exact)):
        state, told = problem.train(problem.begin(0), {"a": 0.1, "idle1": 0.3}, 3, 5)
        assert problem.score(state, told) == loss
        assert (told == loss) == isinstance(problem, Idle)
    assert Rounded(exact, 0.1).train(problem.begin(0), {"a": 0.1}, 3, 5)[1] == pytest.approx(round(loss, 1))


# -- the command line ----------------------------------------------------------------------------------


def test_the_table_and_json_agree(capsys, tmp_path):
    """Each testbed is a row of one of the tables, and JSON has each run."""
    file = tmp_path / "regret.json"
    assert main([*SMALL, "jaderberg", "triangle", "ripples", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    found = json.loads(file.read_text())
    assert [row["name"] for row in found["testbeds"]] == ["jaderberg", "triangle", "ripples"]
    for row in found["testbeds"]:
        (line,) = [line for line in out.splitlines() if line.startswith(row["name"])]
        assert [*row["finals"]] == [*USUAL, RANDOM_SEARCH]
        assert {len(losses) for losses in row["finals"].values()} == {2}
        for regret in (row["regrets"] or {}).values():
            assert f" {regret:.2f}" in line
    assert found["methods"]["MixedHorizon"] == {"name": "MixedHorizon"}


def test_some_methods_are_compared(capsys):
    """In the order in which they are named; the best of them has no regret."""
    assert main([*SMALL, "jaderberg", "--methods", "PB2", "Truncation", "PB2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (head,) = [line for line in lines if line[:1] == ["testbed"]]
    (found,) = [line for line in lines if line[:1] == ["jaderberg"]]
    assert head[1:] == ["PB2", "Truncation"]
    assert len(found[2:]) == 2
    assert min(map(float, found[2:])) == 0


def row(name, *finals):
    """Two equal runs of each method and, the last, of random search."""
    methods = (*USUAL, RANDOM_SEARCH)
    return RegretRow(name, {m: np.full(2, loss) for m, loss in zip(methods, finals, strict=True)})


def test_worst_and_mean_are_those_of_the_rows_above():
    """Each table has its own, and where random search is best there are scores and no regrets."""
    rows = [
        row("quadratic", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0),
        row("triangle", 2.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.0),
        row("plateau", 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1.5),
        row("momentum", 3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0),
    ]
    lines = [line.split() for line in report(RegretOptions(), rows).text.splitlines()]
    assert [line[-6:] for line in lines if line[:1] == ["worst"]] == [
        ["1.00", "0.20", "1.00", "1.00", "2.00", "2.00"],
        ["2.00", "1.00", "0.00", "0.00", "0.00", "0.00"],
    ]
    assert [line[-6:] for line in lines if line[:1] == ["mean"]] == [
        ["0.50", "0.10", "0.70", "0.80", "1.40", "1.50"],
        ["2.00", "1.00", "0.00", "0.00", "0.00", "0.00"],
    ]
    assert ["plateau", "2", "3", "4", "5", "6", "7", "1.5"] in lines


@pytest.mark.parametrize("kind", ["testbeds", "methods"])
def test_unknown_names_are_refused(kind, capsys):
    """Before anything runs."""
    with pytest.raises(SystemExit) as left:
        main([*SMALL, "triangle", f"--{kind}", "quadratics"])
    assert left.value.code == 2
    assert f"{kind} must be some of" in capsys.readouterr().err
    with pytest.raises(hoptim.ArgumentError, match="runs"):
        RegretOptions(runs=1)


# -- what was measured ---------------------------------------------------------------------------------


def committed(name):
    """The rows of a committed result, and its text."""
    file = ROOT / "benchmarks" / "results" / f"{name}.json"
    rows = [
        RegretRow(it["name"], {method: np.array(losses) for method, losses in it["finals"].items()})
        for it in json.loads(file.read_text())["testbeds"]
    ]
    return rows, file.with_suffix(".txt").read_text()


def ends(rows):
    """Worst and mean regret of MixedHorizon, as printed."""
    found = [row.regrets["MixedHorizon"] for row in rows if row.regrets is not None]
    return [f"{max(found):.2f}", f"{np.mean(found):.2f}"]


def test_the_table_in_the_documents_is_the_committed_result():
    """It is quoted unchanged, and JSON has the same regrets."""
    rows, text = committed("regret")
    (quoted,) = re.findall(
        r"```text\n(testbed .*?)\n```", (ROOT / "docs" / "optimizers.md").read_text(), re.DOTALL
    )
    assert f"{quoted}\n" in text
    printed = [line.split()[-1] for line in quoted.splitlines() if line.startswith(("worst", "mean"))]
    chosen_on, aside = ([row for row in rows if row.name in part] for part in (CHOSEN_ON, KEPT_ASIDE))
    assert printed == ends(chosen_on) + ends(aside)


@pytest.mark.parametrize("members", [8, 32])
def test_the_figures_of_other_sizes_are_the_committed_results(members):
    """On the testbeds that it was chosen on."""
    rows, _ = committed(f"regret_{members}")
    worst, mean = ends(row for row in rows if row.name in CHOSEN_ON)
    text = " ".join((ROOT / "docs" / "optimizers.md").read_text().split())
    assert re.search(rf"with {members} members [^.]*{worst}\D+{mean}", text, re.IGNORECASE)


def test_what_is_said_of_pb2_is_the_committed_result():
    """Where it leaves nothing, its regrets where greed loses, and the means."""
    rows, printed = committed("regret_pb2")
    pb2 = {row.name: row.regrets["PB2"] for row in rows if row.regrets is not None}
    text = " ".join((ROOT / "docs" / "optimizers.md").read_text().split("**On the toys above**")[1].split())
    best = re.search("nothing of the gain on (.*?), where", text)[1].replace(" and ", ", ").split(", ")
    assert sorted(best) == sorted(
        {"rosenbrock, noisy evaluation": "noisy rosenbrock"}.get(name, name)
        for name, regret in pb2.items()
        if regret == 0
    )
    quadratics = [regret for name, regret in pb2.items() if name.startswith("quadratic")]
    assert f"{min(quadratics):.2f} to {max(quadratics):.2f} on the quadratics" in text
    assert f"{pb2['deceptive']:.2f} on the first deceptive" in text
    highest = max(max(row.regrets.values()) for row in rows if row.regrets is not None)
    assert highest == pb2["regularisation"]
    assert f"{highest:.2f} on regularisation, the highest of all methods" in text
    mean = re.search(r"\nmean (.*)", printed)[1].split()
    assert f"On average it is {mean[-1]}, `MixedHorizon`'s is {mean[-2]}" in text
