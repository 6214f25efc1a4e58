"""The comparison with other packages: budgets are kept, results merged, and pages say what was measured."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from compare import chosen, main, measure
from peers.environments import ENVIRONMENTS, python_of
from peers.methods import INTERVALS, METHODS, Method
from peers.problems import PROBLEMS
from peers.table import key, merge, tables
from peers.task import BudgetError, Work

from tests.builders import ROOT

RESULTS = ROOT / "benchmarks" / "results"
TASK = {"problem": "rosenbrock", "interval": 1, "size": 16, "seeds": [0, 1]}


def row(method="hoptim ROMUL", problem="rosenbrock", interval=1, last=(0.1, 0.001), **more):
    """A row as `measure` makes it."""
    losses = {
        "last": list(last),
        "ever": list(last),
        "wall": [1.0] * len(last),
        "deciding": [0.002] * len(last),
    }
    names = {"method": method, "problem": problem, "interval": interval, "size": 16}
    return {**names, "versions": {"python": "3"}, **losses, **more}


def peer(tmp_path, *lines: object, then="") -> str:
    """An interpreter that keeps the task that it is given, and says some lines whatever it is to run."""
    script = tmp_path / "python"
    said = "\n".join(f"echo '{json.dumps(line)}'" for line in lines)
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/task\n{said}\n{then}\n")
    os.chmod(script, 0o700)
    return str(script)


# -- one row -----------------------------------------------------------------------------------------


def test_a_peer_is_given_the_task_and_its_runs_become_a_row(tmp_path):
    """The task goes in with the method's arguments; versions and each run's figures come out."""
    runs = [{"seed": seed, "last": 2.0 + seed, "ever": 1.0} for seed in (0, 1)]
    python = peer(tmp_path, {"versions": {"fake": "1"}}, *runs)
    found = measure(Method("Fake", "fake", {"how": "well"}), TASK, python, 100)
    assert json.loads((tmp_path / "task").read_text()) == {**TASK, "arguments": {"how": "well"}}
    assert found == {
        "method": "Fake", "problem": "rosenbrock", "interval": 1, "size": 16, "versions": {"fake": "1"},
        "seed": [0, 1], "last": [2.0, 3.0], "ever": [1.0, 1.0],
    }  # fmt: skip


def test_a_method_of_constants_has_no_interval(tmp_path):
    """A method that decides nothing while it trains has one row for all intervals."""
    python = peer(tmp_path, {"versions": {}}, {"seed": 0, "last": 1.0})
    assert measure(Method("Fake", "fake", population=False), TASK, python, 100)["interval"] is None


def test_a_peer_that_cannot_play_says_why(tmp_path):
    """The reason is what the table shows instead of a number."""
    python = peer(tmp_path, {"versions": {}}, {"cannot": "floats only"})
    found = measure(Method("Fake", "fake"), TASK, python, 100)
    assert (found["cannot"], "last" in found) == ("floats only", False)
    assert "floats only" in tables([found])


def test_a_peer_that_takes_too_long_is_ended(tmp_path):
    """Without a run until the limit, the table says so."""
    found = measure(Method("Fake", "fake"), TASK, peer(tmp_path, then="exec sleep 1000"), 0.2)
    assert found["cannot"] == "no run in 0 s"


def test_a_peer_that_fails_ends_the_comparison(tmp_path):
    """Its exit code is told; nothing is made up."""
    with pytest.raises(SystemExit, match="exit code 3"):
        measure(Method("Fake", "fake"), TASK, peer(tmp_path, then="exit 3"), 100)


# -- what is fair -------------------------------------------------------------------------------------


def test_the_budget_must_be_used_up():
    """A population trains each member to the end, constants take whole trainings, and nobody takes more."""
    problem = PROBLEMS["noisy quadratic"]
    work = Work(problem, 2, 100, 0)
    assert (work.decisions, work.tries, work.left) == (3, 2, 600)
    work.constant({"a": 0.1})
    with pytest.raises(BudgetError, match="300 steps of noisy quadratic were not used"):
        work.result(1.0, 1.0)
    state, first = work.train(work.begin(), {"a": 0.1})
    _, second = work.train(work.train(state, {"a": 0.1})[0], {"a": 0.1})
    assert (second, work.losses[1]) == (pytest.approx(work.losses[0]), first)
    with pytest.raises(BudgetError, match="More was trained"):
        work.train(state, {"a": 0.1})


def test_a_function_is_evaluated_as_often_as_a_population_trains():
    """Without a state each step is an evaluation; the last ones are those of all members' last step."""
    work = Work(PROBLEMS["rosenbrock"], 16, 1, 0)
    assert work.tries == 1600
    assert [list(start.values()) for start in work.starts] == [[0.8, 0.4]] * 16
    for i in range(1600):
        work.constant({"x1": 1.0, "x2": 1.0 + (i + 1) / 1600})
    found = work.result(wall=1.0, cpu=2.0)
    assert found["ever"] == pytest.approx(100 / 1600**2)
    assert found["last"] == pytest.approx(100 * (1585 / 1600) ** 2)
    assert 0 < found["deciding"] < 2.0 / 1600  # training is not counted


def test_starts_depend_on_the_seed_alone():
    """Every method that asks for a run's starts gets the same."""
    for problem in PROBLEMS.values():
        assert problem.start(16, 3) == problem.start(16, 3)
        assert len(problem.start(16, 3)) == 16


def test_every_interval_divides_its_problem():
    """So that members end where constants end."""
    assert INTERVALS.keys() == PROBLEMS.keys()
    for name, intervals in INTERVALS.items():
        assert [PROBLEMS[name].steps % interval for interval in intervals] == [0] * len(intervals)


def test_every_method_has_an_adapter_and_an_environment():
    """Names are unique, since results are merged by them."""
    assert len({method.name for method in METHODS}) == len(METHODS)
    for method in METHODS:
        assert (ROOT / "benchmarks" / "peers" / f"by_{method.peer}.py").exists()
        assert all("==" in package for package in ENVIRONMENTS[method.peer])


# -- results ------------------------------------------------------------------------------------------


def test_new_rows_replace_their_own_predecessors_alone():
    """Rows are the same by method, problem and interval; the order is that of the lists."""
    old = [row("random search", interval=None), row(last=[5.0]), row(problem="deceptive", interval=10)]
    merged = merge(old, [row(last=[7.0]), row("Ray PBT"), row("someone new")])
    assert [key(it) for it in merged] == [
        ("hoptim ROMUL", "rosenbrock", 1), ("Ray PBT", "rosenbrock", 1),
        ("random search", "rosenbrock", None), ("someone new", "rosenbrock", 1),
        ("hoptim ROMUL", "deceptive", 10),
    ]  # fmt: skip
    assert merged[0]["last"] == [7.0]


def test_figures_are_means_and_spreads():
    """Of the logarithm on Rosenbrock, of the loss elsewhere; fewer runs than 20 are marked."""
    text = tables([row(last=[0.1, 0.001]), row(problem="deceptive", interval=10, last=[0.25, 0.75])])
    assert "hoptim ROMUL  -2.000 +- 1.000  -2.000 +- 1.000     2" in text
    assert "hoptim ROMUL     0.500 +- 0.250 [2]" in text
    assert "0.500 +- 0.250 [20]" not in tables(
        [row(problem="deceptive", interval=10, last=[0.25, 0.75] * 10)]
    )
    assert "ROMUL  -16.000    -16.000     1" in tables([row(last=[0.0])])


def test_a_part_is_measured_again_and_all_else_stays(tmp_path, capsys):
    """Two runs of two methods through their real adapters; the row of another method is kept."""
    file = tmp_path / "found"
    other = row("Ray PBT")
    file.with_suffix(".json").write_text(json.dumps({"rows": [other, row(last=[9.0])]}))
    names = ["hoptim ROMUL", "random search"]
    main(["--only", *names, "--problems", "rosenbrock", "--runs", "2", "--results", str(file)])
    rows = json.loads(file.with_suffix(".json").read_text())["rows"]
    assert [it["method"] for it in rows] == ["hoptim ROMUL", "Ray PBT", "random search"]
    assert rows[1] == other
    assert rows[0]["seed"] == [0, 1]
    committed = json.loads((RESULTS / "rosenbrock.json").read_text())["rows"][3]
    assert rows[0]["ever"] == pytest.approx(committed["final_losses"][:2])  # the same runs as Table 3's
    printed = capsys.readouterr().out
    assert printed == file.with_suffix(".txt").read_text()


def test_missing_runs_are_added_to_those_that_are_there(tmp_path, capsys):
    """Seed 0 is not run again, and a method that has all its runs not at all."""
    file = tmp_path / "found"
    done = [
        row("hoptim ROMUL", seed=[0], last=[9.0]),
        row("hoptim Initiator", seed=[0, 1], last=[8.0, 7.0]),
    ]
    file.with_suffix(".json").write_text(json.dumps({"rows": done}))
    only = ("--only", "hoptim ROMUL", "hoptim Initiator", "--problems", "rosenbrock")
    main([*only, "--runs", "2", "--missing", "--results", str(file)])
    romul, initiator = json.loads(file.with_suffix(".json").read_text())["rows"]
    assert (romul["seed"], romul["last"][0], len(romul["wall"])) == ([0, 1], 9.0, 2)
    assert initiator == done[1]
    assert "Initiator, rosenbrock" not in capsys.readouterr().err


def test_methods_are_chosen_by_their_name_or_their_adapters():
    """A name that nobody has is an error that lists those that are there."""
    assert chosen([]) == list(METHODS)
    assert {method.peer for method in chosen(["hoptim", "Ray PB2"])} == {"hoptim", "ray"}
    with pytest.raises(SystemExit, match=r"romul is no method; there are .*hoptim ROMUL"):
        chosen(["hoptim", "romul"])


def test_peers_need_a_place_and_hoptim_does_not():
    """hoptim's own run in this environment; others' must be made somewhere."""
    assert python_of("hoptim", None) == sys.executable
    with pytest.raises(SystemExit, match="optuna needs an environment of its own: say where with --envs"):
        python_of("optuna", None)


def test_an_environment_that_is_there_is_used(tmp_path):
    """It is made once."""
    (tmp_path / "optuna").mkdir()
    (tmp_path / "optuna" / "installed").touch()
    assert Path(python_of("optuna", tmp_path)) == tmp_path / "optuna" / "bin" / "python"


def test_what_a_peer_needs_besides_is_in_an_environment_of_its_own(tmp_path):
    """Its name tells what is in it, so that the peer's own is not made anew."""
    (tmp_path / "optuna-torch").mkdir()
    (tmp_path / "optuna-torch" / "installed").touch()
    python = tmp_path / "optuna-torch" / "bin" / "python"
    assert Path(python_of("optuna", tmp_path, "torch==2.13.0")) == python


def test_the_committed_tables_are_those_of_the_committed_losses():
    """The page quotes each of them, too."""
    rows = json.loads((RESULTS / "compare.json").read_text())["rows"]
    text = (RESULTS / "compare.txt").read_text()
    assert tables(rows) == text
    page = (ROOT / "docs" / "comparison.md").read_text()
    for table in text.split("\n\n\n"):
        assert table.strip() in page
