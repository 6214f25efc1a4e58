"""The cost of telling and asking in one process without any training, as ratios within one run.

On files, hoptim's tell and next ask share one append and one fsync. They are compared with two rounds of
the bare loop, one for the tell and one for the ask: flock, an append of 200 bytes, fsync, on files that
stay open. In memory, the processor's time of a decision is compared, on Rosenbrock's function with 16
members of 100 steps, by the adapters of `compare.py`. Ratios are medians over the rounds, with minimum and
maximum.

With `--compare`, the peers on files are Optuna's `JournalStorage` on its file backend with its default
lock, and in memory Optuna's study with its fastest sampler. The schedulers of Syne Tune's and Ray's PBT do
less: they hand out no trials and keep no record of them, and whoever drives them holds the members.

    python benchmarks/tell_and_ask.py [--compare DIR] [--against CHECKOUT] [--rounds 7] [--trials 400]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from compare import measure
from costs.fleet import BARE, HOPTIM, add_options, alternate, fleets, studies
from costs.machine import ROOT, commit, header, spread
from costs.server import Run, Task
from peers.environments import ENVIRONMENTS, python_of
from peers.methods import Method

from hoptim.benchmarks.tables import aligned

_METHOD = Method(HOPTIM, "hoptim", {"optimizer": "ROMUL"})
_PEERS = (
    Method("Syne Tune PBT", "syne_tune"),
    Method("Ray PBT", "ray", {"scheduler": "PBT"}),
    Method("Optuna RandomSampler", "optuna", {"sampler": "RandomSampler"}),
)
_TASK = {"problem": "rosenbrock", "interval": 1, "size": 16, "seeds": [0, 1, 2]}
_LIMIT = 600.0  # seconds of an adapter
_MILLI = 1e3


class Decider(NamedTuple):
    """A method in memory, and the interpreter and checkout of hoptim that run its adapter."""

    name: str
    method: Method
    python: str = sys.executable
    checkout: Path = ROOT


def durable(runs: Mapping[str, Sequence[Run]]) -> list[list[str]]:
    """Return a row for each way to tell and ask on files."""
    rows = []
    for name, found in runs.items():
        walls, cpus = [run.p50 for run in found], [run.cpu for run in found]
        row = [name, f"{statistics.median(walls) * _MILLI:.3f}", f"{statistics.median(cpus) * _MILLI:.3f}"]
        if name != BARE.name:
            row.append(_ratios(walls, [2 * run.p50 for run in runs[BARE.name]]))
            row.append(_ratios(cpus, [2 * run.cpu for run in runs[BARE.name]]))
            row.append(_ratios(walls, [run.p50 for run in runs[HOPTIM]]))
            row.append(_ratios(cpus, [run.cpu for run in runs[HOPTIM]]))
        rows.append([*row, "", "", "", ""][:7])
    head = [
        "on files, tell + ask",
        "ms",
        "CPU ms",
        "ms / 2 bare",
        "CPU / 2 bare",
        "ms / hoptim",
        "CPU / hoptim",
    ]
    return [head, *rows]


def decisions(deciders: Sequence[Decider], rounds: int) -> list[list[str]]:
    """Return a row for each method in memory; every round runs each of them in a new process."""
    found: dict[str, list[float]] = {decider.name: [] for decider in deciders}
    for _ in range(rounds):
        for name, method, python, checkout in deciders:
            row = measure(method, _TASK, python, _LIMIT, checkout)
            found[name].append(min(row["deciding"]))  # the first one pays for what is imported late
    return [
        ["in memory, tell + ask", "CPU ms", "CPU / hoptim"],
        *(
            [name, f"{statistics.median(cpus) * _MILLI:.3f}", _ratios(cpus, found[HOPTIM])]
            for name, cpus in found.items()
        ),
    ]


def _ratios(found: Sequence[float], base: Sequence[float]) -> str:
    return spread([one / other for one, other in zip(found, base, strict=True)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400, help="trials in each repeat on files")
    add_options(parser, rounds=7)
    asked = parser.parse_args(arguments)
    deciders = [Decider(HOPTIM, _METHOD)]
    if asked.against:
        deciders.append(Decider(f"{HOPTIM} at {commit(asked.against)}", _METHOD, checkout=asked.against))
    if asked.compare:
        deciders += [Decider(peer.name, peer, python_of(peer.peer, asked.compare)) for peer in _PEERS]
    print(header(asked.folder, *(ENVIRONMENTS[peer.peer][0] for peer in _PEERS if asked.compare)))
    with fleets(studies(asked)) as servers:
        runs = alternate(servers, Task(operations=asked.trials), asked.rounds, asked.folder)
    print("\n" + aligned(durable(runs)), flush=True)
    print("\n" + aligned(decisions(deciders, asked.rounds)))


if __name__ == "__main__":
    main()
