"""Three problems on which greedy choices lose: reference solutions, deception, and the command line."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import patience
import pytest

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.problem import TrainedPopulation, train
from hoptim.benchmarks.toys import horizon_report, reference_solutions
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.horizon import (
    METHODS,
    RANDOM_SEARCH,
    TESTBEDS,
    HorizonCell,
    HorizonOptions,
    HorizonResult,
    measure,
)
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.reference_solutions import ReferenceSolution, final_loss, greedy_search
from hoptim.benchmarks.toys.regularisation import Regularisation
from tests.builders import ROOT

SMALL = ("--runs", "2", "--members", "4", "--workers", "1", "--problems", "quadratic", "--intervals", "100")
INITIATOR = METHODS["Initiator (0.8/1.2)"]

needs_digits = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="the extra hoptim[examples] is not installed"
)
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="the extra hoptim[plot] is not installed"
)
PROBLEMS = [
    pytest.param("quadratic", {"a": 0.1}),
    pytest.param("deceptive", {"h": 0.7}),
    pytest.param("regularisation", {"dropout": 0.2}, marks=needs_digits),
]


@cache
def references(name: str) -> dict[str, ReferenceSolution]:
    """Reference solutions of a problem by kind, of the kinds with a single one."""
    return {kind: one[0] for kind, one in TESTBEDS[name].candidates(0).items() if len(one) == 1}


def finals(problem, optimizer, interval: int, runs: int) -> list[float]:
    return [train(problem, optimizer, interval=interval, seed=seed).final for seed in range(runs)]


# -- the problems --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "params"), PROBLEMS)
def test_training_is_a_function_of_its_arguments(name, params):
    """The same state, hyperparameters and seed give the same loss, and the state stays as it was."""
    problem = TESTBEDS[name].problem
    state = problem.begin(3)
    first, again = problem.train(state, params, 2, 5), problem.train(state, params, 2, 5)
    assert first[1] == again[1]
    assert problem.train(first[0], params, 1, 7)[1] == problem.train(again[0], params, 1, 7)[1]
    assert problem.train(problem.begin(3), params, 2, 5)[1] == first[1]


@pytest.mark.parametrize(("name", "params"), PROBLEMS[:2])
def test_ten_steps_are_ten_times_one(name, params):
    """Where nothing is random a longer interval is the same training, decided less often."""
    problem = TESTBEDS[name].problem
    state = problem.begin(0)
    for _ in range(10):
        state, loss = problem.train(state, params, 1, 0)
    assert problem.train(problem.begin(0), params, 10, 0)[1] == loss


@needs_digits
def test_seeds_of_the_network_differ():
    """Weights and batches are drawn from the seed alone."""
    problem, params = Regularisation(), {"dropout": 0.2}
    weights = [problem.begin(seed).weights[0] for seed in (1, 1, 2)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    state = problem.begin(0)
    assert problem.train(state, params, 1, 1)[1] != problem.train(state, params, 1, 2)[1]


@needs_digits
def test_gradients_are_those_of_the_loss():
    """Against finite differences of the cross-entropy, without dropout."""
    from hoptim.benchmarks.toys import regularisation as module

    data, net = module.digits(), Regularisation().begin(0)
    data = data._replace(validation_x=data.x[:20], validation_y=data.labels[:20].argmax(1))
    found = module._gradients(net, data.x[:20], data.labels[:20], 0.0, np.random.default_rng(0))
    for layer, place in ((0, (20, 3)), (0, (-1, 5)), (1, (7, 2)), (1, (-1, 9))):
        around = []
        for change in (1e-5, -1e-5):
            weights = [w.copy() for w in net.weights]
            weights[layer][place] += change
            around.append(module._loss(net._replace(weights=tuple(weights)), data))
        assert found[layer][place] == pytest.approx((around[0] - around[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_members_begin_alike_whatever_the_method():
    """The first hyperparameters depend on the seed and the number of members only, and are in the space."""
    for testbed in TESTBEDS.values():
        problem = testbed.problem
        first, again, other = (problem.start(16, seed) for seed in (0, 0, 1))
        assert first == again != other
        space = hoptim.Space(problem.space)
        assert all(space.contains(space.encode(params).tolist()) for params in first)


# -- reference solutions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "loss"), [("best linear decay", 0.204), ("best constant", 0.320), ("greedy", 0.439)]
)
def test_references_of_the_noisy_quadratic(kind, loss):
    """Their losses are the expected ones to three decimals."""
    assert round(references("quadratic")[kind].mean, 3) == loss


def test_greedy_learning_rate_is_the_best_for_one_step():
    """No other rate lowers the next loss more than the one that the formula gives."""
    problem, rates = NoisyQuadratic(), references("quadratic")["greedy"].schedule
    state = problem.begin(0)
    for a in rates[:5]:
        around = [problem.train(state, {"a": a * factor}, 1, 0)[1] for factor in (0.97, 1.0, 1.03)]
        assert min(around) == around[1]
        state, _ = problem.train(state, {"a": a}, 1, 0)


@pytest.mark.parametrize(("interval", "mean"), [(10, 0.271), (30, 0.234), (100, 0.298)])
def test_initiator_on_the_noisy_quadratic(interval, mean):
    """The mean of four runs is within three standard errors of what an independent simulation found."""
    found = finals(NoisyQuadratic(), INITIATOR, interval, 4)
    error = {10: 0.026, 30: 0.011, 100: 0.012}[interval] / np.sqrt(4)
    assert abs(np.mean(found) - mean) <= 3 * error + 0.002


def test_deciding_at_each_step_is_no_better_than_a_bad_constant():
    """On the noisy quadratic two runs at interval 1 end near greed's own loss, above the best constant."""
    best, greedy = (references("quadratic")[kind].mean for kind in ("best constant", "greedy"))
    for final in finals(NoisyQuadratic(), INITIATOR, 1, 2):
        assert final == pytest.approx(0.411, abs=0.015)
        assert best + 0.05 < final < greedy


def test_the_quadratic_deceives():
    """The greedy rate is the better one for a while, and loses to constant and decay in the end."""
    problem, found = NoisyQuadratic(), references("quadratic")
    halves = {kind: final_loss(problem, solution.schedule[:10]) for kind, solution in found.items()}
    assert halves["greedy"] < min(halves["best constant"], halves["best linear decay"])
    assert found["best linear decay"].mean < found["best constant"].mean < found["greedy"].mean


def test_the_toy_deceives():
    """h = 0 is the best choice at each step and the worst of the reference schedules."""
    greedy = greedy_search(Deceptive(), np.linspace(0, 1.1, 12))
    found = references("deceptive")
    assert set(greedy.schedule) == {0.0}
    assert greedy.mean == found["greedy choice, h = 0"].mean == max(one.mean for one in found.values())
    assert found["h = 1 - t/T"].mean < 0.01
    assert 0.2 < found["best constant"].mean < found["h = 1"].mean


@needs_digits
def test_dropout_deceives():
    """Without dropout the network is better for thirty epochs and worse in the end; greed wants little."""
    problem, seeds = Regularisation(), range(4)

    def mean(dropout: float, epochs: int) -> float:
        return float(np.mean([final_loss(problem, [dropout] * epochs, seed) for seed in seeds]))

    early, late = ([mean(dropout, epochs) for dropout in (0.0, 0.1)] for epochs in (10, 60))
    assert early[0] < early[1]
    assert late[1] < late[0]
    line = 1 - np.arange(60) / 60
    decay = np.mean([final_loss(problem, 0.3 * line, seed) for seed in seeds])
    greedy = [greedy_search(problem, (0.0, 0.1, 0.2, 0.3, 0.4), seed=seed) for seed in seeds]
    assert decay < late[1] < np.mean([one.mean for one in greedy])
    assert decay + 0.1 < min(one.mean for one in greedy)
    assert np.mean([one.schedule[10:].mean() for one in greedy]) < 0.05  # and never raises it again


@needs_digits
def test_a_short_interval_costs_on_the_digits():
    """A population that decides after each epoch ends worse than one that decides six times."""
    often, seldom = (finals(Regularisation(), INITIATOR, interval, 2) for interval in (1, 10))
    assert max(seldom) < min(often)


def test_of_many_seeds_the_best_in_the_mean_counts():
    """A schedule that is best for one seed alone does not count."""
    line = np.zeros(1)
    seeds = [
        {
            "constant": [ReferenceSolution("a", line, (1.0,)), ReferenceSolution("b", line, (2.0,))],
            "greedy": [ReferenceSolution("g", line, (9.0,))],
        },
        {
            "constant": [ReferenceSolution("a", line, (5.0,)), ReferenceSolution("b", line, (2.0,))],
            "greedy": [ReferenceSolution("g", line, (1.0,))],
        },
    ]
    best = reference_solutions.best_over_seeds(seeds)
    assert [(one.name, one.scores, one.mean) for one in best] == [
        ("b", (2.0, 2.0), 2.0),
        ("g", (9.0, 1.0), 5.0),
    ]


# -- what is measured ----------------------------------------------------------------------------------


def test_each_method_has_a_cell_at_each_interval():
    """Cells, random search and reference solutions of a problem are the same with two workers."""
    quadratic = HorizonOptions(2, 4, problems=("quadratic",), intervals=(100, 50))
    setups = [quadratic, replace(quadratic, workers=2)]
    [one], [two] = map(measure, setups)
    assert [(cell.name, cell.interval) for cell in one.cells] == [
        (m, i) for m in METHODS for i in (50, 100)
    ]
    assert [cell.scores for cell in one.cells] == [cell.scores for cell in two.cells]
    assert all(len(cell.scores) == 2 for cell in one.cells)
    assert [solution.name.split(" 0")[0] for solution in one.references] == [
        "best linear decay", "best constant", "greedy choice",
    ]  # fmt: skip
    problem = NoisyQuadratic()
    for seed, loss in zip((0, 1), one.random_search.scores, strict=True):
        constants = [problem.train(problem.begin(0), p, 300, 0)[1] for p in problem.start(4, seed)]
        assert loss == pytest.approx(min(constants))  # coordinates are rounded


def test_the_best_cell_has_the_lowest_mean():
    """The mean decides, and the median run is the one with the median loss."""
    losses = ((3.0, 1.0, 8.0), (2.0, 3.0, 4.0))
    runs = [tuple(TrainedPopulation(np.ones(1), loss, []) for loss in each) for each in losses]
    cells = tuple(HorizonCell("A", interval, each) for interval, each in zip((1, 2), runs, strict=True))
    drawn = HorizonCell(RANDOM_SEARCH, 300, runs[0])
    result = HorizonResult("x", NoisyQuadratic(), (1, 2), cells, (), drawn)
    assert result.best.interval == 2
    assert result.rows == {"A": [*cells]}
    assert [cell.median_run.final for cell in cells] == [3.0, 3.0]
    assert (cells[1].mean, cells[1].std) == (3.0, pytest.approx(np.sqrt(2 / 3)))


def test_the_page_quotes_the_committed_results():
    """Tables in the page are those in the results, whose figures are those of the JSON."""
    folder = ROOT / "benchmarks" / "results"
    text = (folder / "horizon.txt").read_text()
    assert text.strip() in (ROOT / "docs" / "horizon.md").read_text()
    for problem in json.loads((folder / "horizon.json").read_text())["problems"]:
        for cell in (*problem["cells"], problem["random_search"]):
            assert f"{np.mean(cell['final_losses']):.3f} ({np.std(cell['final_losses']):.3f})" in text


def test_the_short_runs_in_the_documents_are_the_committed_result():
    """The page quotes it whole, and the docstring the means of runs of 20 trials."""
    text = (ROOT / "benchmarks" / "results" / "patience_short.txt").read_text()
    assert f"```text\n{text}```" in (ROOT / "docs" / "horizon.md").read_text()
    printed = {tuple(re.findall(r"(\d\.\d{4}) \(", line)) for line in text.splitlines()}
    rows = re.findall(r"\w+, 20 trials +(\S+) +(\S+) +(\S+)", hoptim.Patient.__doc__ or "")
    assert len(rows) == 5
    assert {*rows} < printed


@pytest.mark.parametrize("part", ["without what lasts", "without closer decisions at the end"])
def test_each_part_of_patient_that_is_left_out_changes_the_result(part):
    """The variants of `benchmarks/patience.py` override methods that `Patient` has."""
    assert patience.final((0, part, 0)) != patience.final((0, "Patient(ROMUL)", 0))


# -- the command line ----------------------------------------------------------------------------------


def test_tables_are_printed_without_warnings():
    """A heading, a table with one mark for the best of all, the reference solutions; nothing on stderr."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "hoptim.benchmarks", "horizon", *SMALL],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert "2 runs (seeds 0 to 1), 4 members" in lines[0]
    assert f"hoptim {hoptim.__version__}, numpy {np.__version__}" in lines[1]
    named = [line.rsplit("  ", 1)[0].strip() for line in lines[3:]]
    assert named[1 : 1 + len(METHODS)] == list(METHODS)
    assert sum("**" in line for line in lines[3:-6]) == 1
    assert [line.split()[-1] for line in lines if line.startswith(("best ", "greedy "))][:3] == [
        "0.204",
        "0.320",
        "0.439",
    ]


def test_one_founder_is_no_news_here(caplog):
    """Populations that soon descend from one founder are no warning in tables of many."""
    measure(HorizonOptions(2, 4, problems=("quadratic",), intervals=(3,)))
    assert caplog.text == ""


def test_json_holds_settings_methods_and_problems(tmp_path):
    """The file has versions, each optimizer's settings, and every final loss."""
    file = tmp_path / "horizon.json"
    assert main(["horizon", *SMALL, "--seed", "3", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    settings = {"runs": 2, "members": 4, "seed": 3, "hoptim": hoptim.__version__}
    assert settings.items() <= found["settings"].items()
    assert {"numpy", "python"} <= found["settings"].keys()
    assert {name: one.describe()["name"] for name, one in METHODS.items()} == {
        name: one["name"] for name, one in found["methods"].items()
    }
    [problem] = found["problems"]
    assert [cell["method"] for cell in problem["cells"]] == list(METHODS)
    for cell in (*problem["cells"], problem["random_search"]):
        assert cell["mean"] == pytest.approx(np.mean(cell["final_losses"]))
        assert len(cell["final_losses"]) == 2
    assert [len(solution["final_losses"]) for solution in problem["known"]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--runs", "1"), "runs must be a whole number of at least 2, found 1."),
        (("--members", "0"), "members must be a whole number of at least 1, found 0."),
        (("--seed", "-1"), "seed must be a whole number of at least 0, found -1."),
        (("--workers", "0"), "workers must be a whole number of at least 1, found 0."),
        (("--problems", "cubic"), "problems must be some of ['quadratic', 'deceptive', 'regularisation']"),
        (("--problems", "quadratic", "--intervals", "7"), "divide the 300 steps of quadratic, found 7."),
        (("--problems", "quadratic", "--intervals", "0"), "divide the 300 steps of quadratic, found 0."),
        (("--json", "nowhere/table.json"), "'nowhere/table.json' cannot be written"),
        (("--plot", "nowhere/picture.png"), "'nowhere/picture.png' cannot be written"),
    ],
)
def test_bad_arguments_exit_with_2(arguments, says, capsys, tmp_path, monkeypatch):
    """What cannot work is said before anything runs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["horizon", "--problems", "quadratic", *arguments])
    assert left.value.code == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""


def test_missing_packages_name_their_extras(tmp_path):
    """Without scikit-learn or matplotlib one line says what to install, before the work."""
    for package, extra, arguments in (
        ("sklearn", "examples", ("--problems", "regularisation")),
        ("matplotlib", "plot", (*SMALL, "--plot", str(tmp_path / "picture.png"))),
    ):
        code = (
            f"import sys; sys.modules[{package!r}] = None\n"
            "from hoptim.benchmarks.__main__ import main\n"
            f"sys.exit(main(['horizon', *{arguments!r}]))"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert f"pip install -e '.[{extra}]'" in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


@needs_matplotlib
def test_the_picture_has_a_column_for_each_problem(tmp_path, monkeypatch):
    """Losses with spread by method above, the winners' and reference schedules below."""
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    found = measure(HorizonOptions(2, 4, problems=("quadratic", "deceptive"), intervals=(50, 100)))
    horizon_report.draw(found, tmp_path / "picture.png")
    *losses, one, two = drawn[0].axes
    assert [ax.get_title() for ax in losses] == ["noisy quadratic", "deceptive"]
    for ax, problem in zip(losses, found, strict=True):
        assert list(METHODS) == ax.get_legend_handles_labels()[1]
        said = [text.get_text().split(":")[0] for text in ax.texts]
        assert set(said) == {RANDOM_SEARCH, *(solution.name for solution in problem.references)}
    assert [one.get_ylabel(), two.get_ylabel()] == ["a", "h"]
    assert all("every 50" in " ".join(ax.get_legend_handles_labels()[1]) for ax in (one, two))


@needs_matplotlib
def test_labels_are_moved_apart():
    """Labels that would touch get places of their own, the others stay."""
    from hoptim.benchmarks.toys.horizon_report import _spread_out

    places = _spread_out(np.array([0.1, 0.5, 0.51, 0.9]))
    assert np.diff(places).min() >= 0.07
    assert places[[0, 3]].tolist() == [0.1, 0.9]


@needs_matplotlib
def test_plot_writes_a_picture(tmp_path):
    """`--plot` draws what was measured."""
    file = tmp_path / "picture.png"
    assert main(["horizon", *SMALL, "--plot", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
