"""Options of ROMUL that were tried, compared with ROMUL as it is over all problems.

    python benchmarks/options.py --runs 20 --json benchmarks/results/options.json

All variants have the same seeds and first trials. A figure is the difference of the mean log10 of the final
loss (the best of the last step's, which is what PBT delivers) from ROMUL's, with its standard error over
seeds; below 0 is better than ROMUL. `rank` is the mean over problems; `effect` the mean difference in units
of the runs' deviation, Rosenbrock's five as one. There are 16 members of 100 steps; 30 decisions of the
quadratic, 50 of the deceptive toy, 12 of the regularised network; 8 members of 15 epochs on the digits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices; before numpy reads it

import numpy as np
from numpy.typing import NDArray
from peers.problems import Function
from scipy.stats import rankdata
from tasks import TASKS, Task
from variants import Variant

import hoptim
from hoptim.benchmarks.problem import train
from hoptim.benchmarks.runner import run_tasks

Floats = NDArray[np.float64]
Found = dict[str, Floats]
Settings = dict[str, Any]


VARIANTS: dict[str, hoptim.Optimizer] = {
    "ROMUL": hoptim.ROMUL(),
    "sigma each, Schwefel's rates": Variant(own=True, rate=0.0),
    "sigma each, rate log 1.2": Variant(own=True),
    "sigma one, Schwefel's rate": Variant(rate=0.0),
    "mean of the best": Variant(recombine="mean"),
    "each from one of the best": Variant(recombine="each"),
    "initiator selection": Variant(initiator=True),
    "differential 0.5, best": Variant(differential=0.5),
    "differential 1.0, best": Variant(differential=1.0),
    "differential 0.5, all": Variant(differential=0.5, pool="all"),
    "direction 0.5": Variant(direction=0.5),
    "direction 1.0": Variant(direction=1.0),
    "choices share 0.25": Variant(switch="shared"),
    "choices adaptive": Variant(switch="adaptive"),
    "choices by sigma": Variant(switch="sigma"),
    "whole values, 0.3": Variant(cells=0.3),
}
UNNOTICED: dict[str, set[type[hoptim.Dimension]]] = {  # in spaces without any of these
    "choices share 0.25": {hoptim.Choice},
    "choices adaptive": {hoptim.Choice},
    "choices by sigma": {hoptim.Choice},
    "whole values, 0.3": {hoptim.Int, hoptim.Ordinal},
}
_NAME, _CELL = 29, 14  # widths


def main() -> None:
    """Measure what the file lacks, and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    problems = [task.name for task in TASKS]
    parser.add_argument("--problems", nargs="+", default=problems, choices=problems, metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all losses; what is there is kept")
    options = parser.parse_args()
    settings = {
        "hoptim": hoptim.__version__, "python": platform.python_version(), "numpy": np.__version__,
        "runs": options.runs, "seed": options.seed,
    }  # fmt: skip
    found = _read(options.json, settings)
    names = list(dict.fromkeys(["ROMUL", *options.only]))
    for name in names:
        for task in [task for task in TASKS if task.name in options.problems]:
            if task.name not in found.setdefault(name, {}):
                found[name][task.name] = measure(name, task, settings, options.workers, found["ROMUL"])
                _write(options.json, settings, found)
        print(name, file=sys.stderr, flush=True)
    print(", ".join(f"{name} {value}" for name, value in settings.items()))
    complete = [task for task in TASKS if all(task.name in found[name] for name in names)]
    for kind, tasks, title in (
        (0, complete, "the last step's best"),
        (1, [t for t in complete if isinstance(t.problem, Function)], "the best of the run"),
    ):
        if not tasks:
            continue
        print(f"\nlog10 of the final loss, {title}:")
        print("ROMUL's mean and differences from it, +- standard errors; below 0 is better\n")
        print(
            table(
                {
                    v: {t.name: np.log10(own[t.name][:, kind]) for t in tasks}
                    for v in names
                    for own in [found[v]]
                }
            )
        )


def measure(name: str, task: Task, settings: Settings, workers: int, plain: Found) -> Floats:
    """Return the last step's best loss and the best of the run `(runs, 2)`.

    Args:
        name: Name of the variant.
        task: Problem.
        settings: Seed and number of runs.
        workers: Processes.
        plain: Losses of ROMUL, which are also those of a change for choices in a space without any.
    """
    if plain and name in UNNOTICED and not set(map(type, task.problem.space.values())) & UNNOTICED[name]:
        return plain[task.name]
    seeds = range(settings["seed"], settings["seed"] + settings["runs"])
    tasks = {seed: partial(play, (name, task.name, seed)) for seed in seeds}
    return np.array([*run_tasks(tasks, workers).values()])


def _read(file: Path | None, settings: Settings) -> dict[str, Found]:
    if file is None or not file.exists():
        return {}
    held = json.loads(file.read_text(encoding="ascii"))
    if held["settings"] != settings:
        sys.exit(f"{file} was measured with {held['settings']}, not with {settings}: name another file.")
    return {v: {t: np.array(losses) for t, losses in own.items()} for v, own in held["losses"].items()}


def _write(file: Path | None, settings: Settings, found: Mapping[str, Found]) -> None:
    if file is not None:
        losses = {v: {t: values.tolist() for t, values in own.items()} for v, own in found.items()}
        text = json.dumps({"settings": settings, "losses": losses})
        file.write_text(text.replace('}, "', '},\n"') + "\n", encoding="ascii")


def table(logs: Mapping[str, Mapping[str, Floats]]) -> str:
    """Return a line for each variant, with its mean rank and its mean effect over families."""
    plain = logs["ROMUL"]
    ranks = {t: rankdata([own[t].mean() for own in logs.values()]) for t in plain}
    lines = [f"{'':{_NAME}}" + "".join(f"{t:>{_CELL}}" for t in plain) + f"{'rank':>6}{'effect':>{_CELL}}"]
    for i, (name, own) in enumerate(logs.items()):
        cells = [values if own is plain else values - plain[t] for t, values in own.items()]
        told = "".join(_cell(v.mean(), v.std(ddof=1) / np.sqrt(len(v))) for v in cells)
        rank = np.mean([ranks[t][i] for t in own])
        total = f"{'0':>{_CELL}}" if own is plain else _cell(*effect(own, plain))
        lines.append(f"{name:{_NAME}}{told}{rank:6.1f}{total}")
    return "\n".join(lines)


def _cell(mean: float, error: float) -> str:
    return f"{f'{mean:+.2f} +-{error:.2f}':>{_CELL}}"


def effect(own: Mapping[str, Floats], plain: Mapping[str, Floats]) -> tuple[float, float]:
    """Return the mean difference in pooled deviations, families weighted alike, and its standard error."""
    families: dict[str, list[tuple[float, float]]] = {}
    for task in [task for task in TASKS if task.name in own]:
        one, other = own[task.name], plain[task.name]
        unit = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2) or 1.0
        away = (one - other) / unit
        families.setdefault(task.family, []).append((away.mean(), away.var(ddof=1) / len(away)))
    means = [np.mean([m for m, _ in each]) for each in families.values()]
    variances = [np.sum([v for _, v in each]) / len(each) ** 2 for each in families.values()]
    return float(np.mean(means)), float(np.sqrt(np.sum(variances)) / len(families))


def play(task: tuple[str, str, int]) -> tuple[float, float]:
    """Run a variant on a problem with a seed."""
    variant, name, seed = task
    [at] = [task for task in TASKS if task.name == name]
    ran = train(at.problem, VARIANTS[variant], interval=at.interval, size=at.size, seed=seed)
    return ran.final, float(np.nanmin(ran.best))


if __name__ == "__main__":
    main()
