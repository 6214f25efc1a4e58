"""Ways to do an operation, each with a server of its own, measured in turns with the bare loop."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from peers.environments import python_of

from costs.machine import ROOT, commit
from costs.server import Run, Task


@dataclass(frozen=True)
class Way:
    """A loop, and the interpreter and checkout of hoptim that run it.

    Attributes:
        name: Name in tables.
        loop: Module and name of the loop.
        arguments: Arguments of the loop besides its folder. Default: none.
        python: Interpreter. Default: this one.
        checkout: Checkout whose hoptim is imported. Default: this one.
    """

    name: str
    loop: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    checkout: Path = ROOT


BARE = Way("bare loop", "by_bare.commit")
HOPTIM = "hoptim"
OPTUNA = "Optuna journal"
_STUDY = "by_hoptim.tell_and_ask"


class Fleet:
    """The server of a way, which ends with the block."""

    def __init__(self, way: Way) -> None:
        self.way = way
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (way.checkout, ROOT / "benchmarks"))),
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",  # threads would not survive the fork
        }  # fmt: skip
        command = [way.python, "-m", "costs.server", way.loop]
        self._server = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.communicate()

    def run(self, task: Task, folder: Path) -> Run:
        """Return what a task cost, done in a new folder inside a folder."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory(dir=folder, prefix="hoptim-costs-") as made:
            asked = {"arguments": dict(self.way.arguments), "folder": made, "task": asdict(task)}
            print(json.dumps(asked), file=self._server.stdin, flush=True)
            answer = self._server.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.way.name} failed; see above.")
        return Run(**json.loads(answer))


@contextlib.contextmanager
def fleets(ways: Sequence[Way], bare: Way = BARE) -> Iterator[list[Fleet]]:
    """Yield the servers of the bare loop and of some ways, in this order."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Fleet(way)) for way in (bare, *ways)]


def alternate(servers: Sequence[Fleet], task: Task, rounds: int, folder: Path) -> dict[str, list[Run]]:
    """Return the runs of each way by its name, a run for each round; the first way is the bare loop.

    A round runs every way once and then the bare loop again, so that a busy machine slows all of them; its
    bare run is the mean of the two around it.
    """
    runs: dict[str, list[Run]] = {server.way.name: [] for server in servers}
    bare, *others = servers
    before = bare.run(task, folder)
    for _ in range(rounds):
        for server in others:
            runs[server.way.name].append(server.run(task, folder))
        after = bare.run(task, folder)
        runs[bare.way.name].append(before.mean(after))
        before = after
    return runs


def studies(asked: argparse.Namespace, **arguments: Any) -> list[Way]:
    """Return hoptim's study, then that of `--against`, then the peers' of `--compare`."""
    ways = [Way(HOPTIM, _STUDY, arguments)]
    if asked.against:
        name = f"{HOPTIM} at {commit(asked.against)}"
        ways.append(Way(name, _STUDY, arguments, checkout=asked.against))
    if asked.compare:
        ways.append(Way(OPTUNA, "by_optuna.tell_and_ask", python=python_of("optuna", asked.compare)))
    return ways


def add_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Add the options that all scripts have which run loops."""
    parser.add_argument("--rounds", type=int, default=rounds, help="repeats; medians are printed")
    parser.add_argument(
        "--compare", type=Path, metavar="DIR",
        help="compare with peers, whose virtual environments are in DIR, or are made there by pip",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="measure another checkout's hoptim besides"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR",
        help="where studies are made (default: %(default)s)",
    )  # fmt: skip
