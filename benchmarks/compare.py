"""hoptim's optimizers beside those of other packages: same starts, same budget, same seeds.

Each package gets a virtual environment of its own in DIR, made by pip at the first call; `peers/` has an
adapter for each. Measured rows replace those of earlier results, and all others stay:

    python benchmarks/compare.py --envs DIR                       # everything, a few hours
    python benchmarks/compare.py --only "hoptim ROMUL"            # one method again; hoptim's need no DIR
    python benchmarks/compare.py --only hoptim --problems mixed   # all of hoptim's, on one problem
    python benchmarks/compare.py --envs DIR --missing             # only what the results lack

Results: `benchmarks/results/compare.json`, `compare.txt`. `docs/comparison.md` explains the comparison
and why it is fair.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent
sys.path[:0] = [str(_ROOT), str(_HERE)]

from peers.environments import ENVIRONMENTS, python_of  # noqa: E402 - found from here on
from peers.methods import INTERVALS, METHODS, Method  # noqa: E402
from peers.table import RUNS, Row, join, key, merge, tables  # noqa: E402

SIZE = 16


def measure(
    method: Method, task: Mapping[str, Any], python: str, limit: float, checkout: Path = _ROOT
) -> dict[str, Any]:
    """Return a row: all runs of a method on a problem, or those that end within the limit.

    Args:
        method: Method to run.
        task: `problem`, `interval`, `size` and `seeds`.
        python: Interpreter of its environment.
        limit: Time limit of all runs, in seconds.
        checkout: Checkout whose hoptim is imported. Default: this one.
    """
    row = {"method": method.name, "problem": task["problem"], "size": task["size"]}
    row["interval"] = task["interval"] if method.population else None
    runs: list[dict[str, Any]] = []
    for line in _lines(method, task, python, limit, checkout):
        if "seed" in line:
            runs.append(line)
        else:
            row |= line
    if runs:
        row |= {name: [run[name] for run in runs] for name in runs[0]}
    elif "cannot" not in row:
        row["cannot"] = f"no run in {limit:.0f} s"
    return row


def _lines(
    method: Method, task: Mapping[str, Any], python: str, limit: float, checkout: Path
) -> list[dict[str, Any]]:
    """Return the lines that an adapter prints within the limit, parsed as JSON."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (checkout, _HERE))),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",  # small problems; the same for everybody
    }  # fmt: skip
    command = [python, "-m", f"peers.by_{method.peer}"]
    given = json.dumps({**task, "arguments": dict(method.arguments)}).encode()
    try:
        ran = subprocess.run(
            command, env=environment, input=given, stdout=subprocess.PIPE, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as late:
        out: bytes = late.stdout or b""  # its lines are whole but for the last
        return [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {ran.returncode}; see above.")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def chosen(only: Sequence[str]) -> list[Method]:
    """Return the methods named by their own or their adapter's name; all if none is named."""
    found = [method for method in METHODS if not only or {method.name, method.peer} & {*only}]
    if unknown := {*only} - {name for method in found for name in (method.name, method.peer)}:
        names = ", ".join(sorted({*ENVIRONMENTS} | {method.name for method in METHODS}))
        raise SystemExit(f"{', '.join(sorted(unknown))} is no method; there are {names}.")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, merge and print."""
    options = _parser().parse_args(arguments)
    kept = options.results.with_suffix(".json")
    for method in chosen(options.only):
        python = python_of(method.peer, options.envs)
        for problem in options.problems:
            for interval in INTERVALS[problem] if method.population else INTERVALS[problem][:1]:
                _measure_and_keep(method, problem, interval, python, options)
    text = tables(_rows(kept))
    kept.with_suffix(".txt").write_text(text, encoding="ascii")
    print(text, end="")


def _measure_and_keep(
    method: Method, problem: str, interval: int, python: str, options: argparse.Namespace
) -> None:
    """Measure a row and write it at once, since others may take hours."""
    kept, seeds = options.results.with_suffix(".json"), [*range(options.runs)]
    name = (method.name, problem, interval if method.population else None)
    old = next((row for row in _rows(kept) if key(row) == name), {}) if options.missing else {}
    if old:
        seeds = [seed for seed in seeds if seed not in old.get("seed", ())]
    if not seeds:
        return
    task = {"problem": problem, "interval": interval, "size": SIZE, "seeds": seeds}
    row = measure(method, task, python, options.limit)
    rows = merge(_rows(kept), [join(old, row) if old else row])
    kept.write_text(json.dumps({"rows": rows}, indent=1, allow_nan=False) + "\n", encoding="ascii")
    print(", ".join(map(str, name)), f"{len(row.get('seed', ()))} runs", sep=": ", file=sys.stderr)


def _rows(file: Path) -> list[Row]:
    return json.loads(file.read_text())["rows"] if file.exists() else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, metavar="DIR", help="where the environments are, or will be")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"methods, or all of {', '.join(ENVIRONMENTS)}",
    )
    parser.add_argument("--problems", nargs="+", choices=INTERVALS, default=[*INTERVALS], metavar="NAME")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"seeds 0, 1, ... (default: {RUNS})")
    parser.add_argument("--missing", action="store_true", help="run only seeds that the results lack")
    parser.add_argument(
        "--limit", type=float, default=600, metavar="SECONDS", help="for all runs of a row (default: 600)"
    )
    parser.add_argument(
        "--results", type=Path, default=_HERE / "results" / "compare", metavar="FILE",
        help="without its suffixes .json and .txt",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
