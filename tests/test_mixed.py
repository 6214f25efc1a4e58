"""The function of a mixed space: its minimum, its traps, and who finds it."""

from __future__ import annotations

import itertools
import json
import math
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.toys import mixed
from hoptim.benchmarks.toys.function import FunctionOptions
from hoptim.benchmarks.toys.mixed import LISTED, MINIMUM, SPACE, loss

SMALL = ("--runs", "2", "--steps", "4", "--members", "4", "--workers", "1")
EXPECTED = (0.32, -2.24, 1.99)  # of 150 runs (seeds 1000 to 1149): share solved, mean log10, deviation
TRAPS = (("relu", "batch"), ("gelu", "layer"), ("tanh", "none"))


def polished(listed: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """The lowest loss and where, with these values of all that is listed: a grid, then descents."""
    rates, dropouts = np.logspace(-4, 0, 5), np.linspace(0, 0.9, 4)
    grid = itertools.product(range(1, 9), (8, 32, 128, 512), rates, dropouts)
    names = ("layers", "batch", "lr", "dropout")
    near = min(({**listed, **dict(zip(names, at, strict=True))} for at in grid), key=loss)
    relaxed = descend(near, ("lr", "dropout", "batch"))["batch"]  # a batch between whole numbers
    batches = {min(max(batch, 8), 512) for batch in (math.floor(relaxed), math.ceil(relaxed))}
    found = [descend({**near, "batch": batch}, ("lr", "dropout")) for batch in batches]
    return min(((loss(at), at) for at in found), key=lambda one: one[0])


def descend(at: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The minimum that is reached by changing these numbers alone, within their bounds."""
    from scipy.optimize import minimize

    bounds = [SPACE[name].to_json() for name in names]
    ends = np.log([(max(dim["low"], 1e-6), dim["high"]) for dim in bounds])

    def there(logs: Any) -> dict[str, Any]:
        return {**at, **dict(zip(names, np.exp(logs).tolist(), strict=True))}

    first = np.clip([math.log(max(at[name], 1e-6)) for name in names], *ends.T)
    fine: Any = {"method": "Nelder-Mead", "bounds": ends, "options": {"fatol": 1e-11, "xatol": 1e-5}}

    def height(logs: Any) -> float:
        return loss(there(logs))

    found = minimize(height, first, **fine)
    return there(found.x)


def test_the_minimum_is_where_a_search_of_everything_finds_it():
    """Of the 108 combinations of listed values one reaches 0, at `MINIMUM`; the next reaches 0.05."""
    values = itertools.product(*(SPACE[name].to_json()["values"] for name in LISTED))
    found = sorted(
        (polished(dict(zip(LISTED, listed, strict=True))) for listed in values), key=lambda b: b[0]
    )
    assert len(found) == 108
    (lowest, at), (second, _) = found[:2]
    assert lowest == pytest.approx(0, abs=1e-9)
    assert {name: at[name] for name in (*LISTED, "layers", "batch")} == {
        name: MINIMUM[name] for name in (*LISTED, "layers", "batch")
    }
    assert (at["lr"], at["dropout"]) == pytest.approx((MINIMUM["lr"], MINIMUM["dropout"]), rel=1e-3)
    assert second == pytest.approx(0.05, abs=1e-6)


def test_the_minimum_is_a_point_of_the_space():
    """It can be encoded, and the loss there is 0 but for rounding."""
    space = hoptim.Space(SPACE)
    assert loss(space.decode(space.encode(MINIMUM))) == pytest.approx(0, abs=1e-12)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_the_loss_is_above_0_elsewhere(seed):
    """A random point has a finite loss above 0."""
    space = hoptim.Space(SPACE)
    assert 0 < loss(space.decode(space.draw(np.random.default_rng(seed)))) < 20


@pytest.mark.parametrize(("activation", "norm"), TRAPS)
def test_no_single_change_leaves_a_trap(activation, norm):
    """Another activation, or another normalisation with whatever batch, is worse in three pairs."""
    best_batch = {"none": 16, "batch": 128, "layer": 32}

    def at(activation: str, norm: str) -> float:
        batch = best_batch[norm]
        lr = 10 ** (-1 + 0.15 * math.log2(batch / 64))
        return loss({**MINIMUM, "activation": activation, "norm": norm, "batch": batch, "lr": lr})

    here = at(activation, norm)
    others = [at(a, norm) for a in ("relu", "gelu", "tanh") if a != activation]
    others += [at(activation, n) for n in best_batch if n != norm]
    assert min(others) > here


def test_all_contenders_have_the_same_first_trials():
    """With one step all end with the same loss, for each seed another one."""
    rows = mixed.measure(FunctionOptions(runs=3, steps=1, members=4))
    losses = {tuple(run.last for run in row.runs) for row in rows}
    assert len(losses) == 1
    assert len(set(losses.pop())) == 3


def test_what_is_right_is_counted():
    """A result with one wrong category has one less, and only all of them solve it."""
    right = mixed.MixedRun(0.0, 0.0, MINIMUM)
    wrong = mixed.MixedRun(0.1, 0.0, {**MINIMUM, "norm": "layer", "batch": 9})
    assert (right.right, wrong.right) == (4, 3)
    assert mixed.MixedRow("some", (right, wrong, right)).solved == 2


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_of_100_runs_as_many_find_the_best_categories_as_expected():
    """ROMUL's share and mean lie within four standard errors of what 150 other runs gave."""
    [row] = mixed.measure(
        FunctionOptions(runs=100, workers=os.cpu_count() or 1), contenders={"ROMUL": hoptim.ROMUL()}
    )
    share, mean, deviation = EXPECTED
    shrink = math.sqrt(1 / 100 + 1 / 150)
    assert abs(row.solved / 100 - share) <= 4 * shrink * math.sqrt(share * (1 - share))
    assert abs(np.log10([run.last for run in row.runs]).mean() - mean) <= 4 * shrink * deviation


# -- the command line ----------------------------------------------------------------------------------


def test_a_table_is_printed_and_nothing_else(capsys, tmp_path):
    """It says what was run, and a line for each contender; the file has each run's losses and values."""
    file = tmp_path / "mixed.json"
    assert main(["mixed", *SMALL, "--seed", "7", "--json", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "2 runs (seeds 7 to 8), 4 members, 4 steps" in printed.out.splitlines()[0]
    found = json.loads(file.read_text())
    assert {"seed": 7, "hoptim": hoptim.__version__}.items() <= found["settings"].items()
    assert list(mixed.CONTENDERS) == [row["name"] for row in found["rows"]]
    for row in found["rows"]:
        assert sum(line.startswith(row["name"]) for line in printed.out.splitlines()) == 1
        for run in row["runs"]:
            assert run["ever"] <= run["last"] == pytest.approx(loss(run["params"]))


def test_a_store_keeps_real_studies(tmp_path):
    """Every run is a study in a folder of its contender's name and its seed."""
    assert main(["mixed", *SMALL, "--store", str(tmp_path)]) == 0
    stored = {str(file.parent.relative_to(tmp_path)) for file in tmp_path.glob("*/*/study.json")}
    names = ("romul", "truncation-selection", "initiator", "random-draws")
    assert stored == {f"{name}/{seed}" for name in names for seed in (0, 1)}


def test_invalid_options_exit_with_2(capsys):
    """What cannot work is said before anything runs."""
    with pytest.raises(SystemExit) as left:
        main(["mixed", "--runs", "1"])
    assert left.value.code == 2
    assert "runs must be a whole number of at least 2, found 1." in capsys.readouterr().err
