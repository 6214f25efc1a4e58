"""The small language study with other packages' PBT: the same training, first hyperparameters and seeds.

Each package trains the same populations in its own loop, one member for each trial, and says which member
is best; all of these are then evaluated by the same code. A run has a process and a folder of its own.
Results are written after each run, and runs that are in the results are not run again:

    python benchmarks/language_peers.py --envs DIR
    python benchmarks/language_peers.py --only hoptim      # hoptim's need no DIR

With --beside, other work runs on the machine: such runs count for the perplexities, and their costs for
nothing. Results: `language_peers.json` and `.txt` in `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent
sys.path[:0] = [str(_ROOT), str(_HERE)]

from peers.environments import python_of  # noqa: E402 - found from here on
from peers.language.member import Member  # noqa: E402
from peers.language.table import table  # noqa: E402
from peers.language.task import Task  # noqa: E402
from peers.methods import Method  # noqa: E402

METHODS = (
    Method("hoptim ROMUL", "hoptim", {"optimizer": "ROMUL"}),
    Method("hoptim Truncation", "hoptim", {"optimizer": "TruncationSelection"}),
    Method("Ray PBT", "ray", {"scheduler": "PBT"}),
    Method("Ray PB2", "ray", {"scheduler": "PB2"}),
    Method("Syne Tune PBT", "syne_tune"),
)
_TORCH = "torch==2.13.0"
_FIRST_SEED = 300  # not one of the study's own


def measure(method: Method, task: Task, python: str, limit: float) -> dict[str, Any]:
    """Return the result of a run, or why there is none.

    Args:
        method: Method to run.
        task: Run, in an empty folder.
        python: Interpreter of the method's environment.
        limit: Seconds after which the run is ended.
    """
    run: dict[str, Any] = {"method": method.name, "seed": task.seed}
    began = time.perf_counter()
    failure = _failure([python, "-m", f"peers.language.by_{method.peer}"], task, limit)
    wall = time.perf_counter() - began
    spent = task.recorded()
    if failure is None and len(spent) < task.size * task.steps:  # Syne Tune ends so after an error
        failure = f"ended after {len(spent)} of {task.size * task.steps} intervals"
    if failure is not None:
        return run | {"cannot": failure}
    found, best = task.delivered(), Member(task)
    best.load(found.member)
    return run | {
        "validation": best.perplexity("validation"), "test": best.perplexity("test"), "age": best.age,
        "wall": wall, "training": sum(spent), "intervals": len(spent),
        "bytes": sum(path.lstat().st_size for path in task.kept.rglob("*") if path.is_file()),
        "versions": dict(found.versions),
    }  # fmt: skip


def _failure(command: Sequence[str], task: Task, limit: float) -> str | None:
    """Run an adapter and return why it did not deliver, None if it did; what it says goes to a file."""
    environment = os.environ | task.environment() | {
        "PYTHONPATH": os.pathsep.join(map(str, (_ROOT, _HERE))),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",  # a core for each process
    }  # fmt: skip
    said = Path(task.folder) / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, cwd=task.folder, process_group=0,
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"no end in {limit:.0f} s"
        finally:
            _end(process)
    if code == 0:
        return None
    last = [line for line in said.read_text(errors="replace").splitlines() if line.strip()][-1:]
    return ": ".join([f"exit code {code}", *last])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill an adapter that still runs, and workers that it left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def chosen(only: Sequence[str]) -> list[Method]:
    """Return the methods named by their own or their adapter's name; all if none is named."""
    if unknown := {*only} - {name for method in METHODS for name in (method.name, method.peer)}:
        names = ", ".join(method.name for method in METHODS)
        raise SystemExit(f"{', '.join(sorted(unknown))} is no method; there are {names}.")
    return [method for method in METHODS if not only or {method.name, method.peer} & {*only}]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the results lack, and print the table."""
    options = _parser().parse_args(arguments)
    file = options.results.with_suffix(".json")
    size = {"members": options.members, "steps": options.steps, "cores": options.cores}
    document = json.loads(file.read_text()) if file.exists() else {**size, "runs": []}
    if found := {name: document[name] for name in size if document[name] != size[name]}:
        raise SystemExit(f"{file} has runs with {found}, asked for {size}: give another --results.")
    envs = options.envs and options.envs.absolute()  # adapters run elsewhere
    methods = [(method, python_of(method.peer, envs, _TORCH)) for method in chosen(options.only)]
    for seed in range(_FIRST_SEED, _FIRST_SEED + options.runs):
        for method, python in methods:
            if not any((run["method"], run["seed"]) == (method.name, seed) for run in document["runs"]):
                run = _measured(method, seed, python, options) | (
                    {"beside": True} if options.beside else {}
                )
                document["runs"].append(run)
                file.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="ascii")
                print({name: run[name] for name in run if name != "versions"}, file=sys.stderr)
    text = table(document)
    command = shlex.join(["python", "benchmarks/language_peers.py", *(arguments or sys.argv[1:])])
    options.results.with_suffix(".txt").write_text(f"{command}\n\n{text}", encoding="ascii")
    print(text, end="")


def _measured(method: Method, seed: int, python: str, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=options.scratch, ignore_cleanup_errors=True) as folder:
        given: Mapping[str, Any] = dict(method.arguments)
        place = str(Path(folder).absolute())
        task = Task(seed, options.members, options.steps, options.cores, place, given)
        run = measure(method, task, python, options.limit)
        return run | {"beside": True} if options.beside else run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, metavar="DIR", help="where the environments are, or will be")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="methods, or hoptim, ray, ..."
    )
    parser.add_argument("--runs", type=int, default=10, help="of each method (default: 10)")
    parser.add_argument("--members", type=int, default=16, help="(default: 16)")
    parser.add_argument("--steps", type=int, default=20, help="intervals of each member (default: 20)")
    parser.add_argument("--cores", type=int, default=2, help="members trained at once (default: 2)")
    parser.add_argument(
        "--limit", type=float, default=600, metavar="SECONDS", help="of a run (default: 600)"
    )
    parser.add_argument("--beside", action="store_true", help="count no costs: the machine is shared")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where runs have their folders")
    parser.add_argument(
        "--results", type=Path, default=_HERE / "results" / "language_peers", metavar="FILE",
        help="without its suffixes .json and .txt",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
