"""The cost of each command that looks at a study, against the number of its trials.

Studies of 16 members whose journals are written without training. Each command runs in a process of its
own, the quickest of some: seconds of CPU, peak memory, bytes of output, and the exponent of the seconds
by trials since the length before.

    python benchmarks/commands.py [--trials 1000 10000 100000 1000000] [--commands status schedule]
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from written import write

import hoptim

_MEMBERS = 16
_COMMANDS = {  # words of each command; DIR and FILE are filled in
    "status": "status DIR",
    "status, no snapshot": "status DIR",
    "best": "best DIR",
    "schedule": "schedule DIR",
    "lineage": "lineage DIR",
    "exploits": "lineage DIR --exploits",
    "exploits, JSON": "lineage DIR --exploits --json",
    "export": "export DIR -o FILE.csv",
    "report": "report DIR -o FILE.html",
    "plot": "plot DIR -o FILE.png",
}


class Cost(NamedTuple):
    """What a command took.

    Attributes:
        seconds: Seconds of CPU.
        memory: Peak resident memory in bytes.
        output: Bytes of its output.
    """

    seconds: float
    memory: int
    output: int


def run(name: str, folder: Path, scratch: Path) -> Cost:
    """Return what a command took; without a snapshot, where its name says so."""
    snapshot, away = folder / "snapshot.json", scratch / "snapshot.json"
    absent = name.endswith("no snapshot") and snapshot.exists()
    if absent:
        snapshot.rename(away)
    text = _COMMANDS[name].replace("DIR", str(folder)).replace("FILE", str(scratch / "output"))
    with (scratch / "output.txt").open("wb") as output:
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-m", "hoptim", *text.split()], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1)],
        )  # fmt: skip
        _, status, used = os.wait4(pid, 0)
    if absent:
        away.rename(snapshot)
    if status:
        raise RuntimeError(f"hoptim {text} failed")
    written = sum(path.stat().st_size for path in scratch.iterdir())
    for path in scratch.iterdir():
        path.unlink()
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, written)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--commands", nargs="+", choices=_COMMANDS, default=[*_COMMANDS])
    parser.add_argument("--runs", type=int, default=3, help="of which the quickest is printed")
    options = parser.parse_args()
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{'':20}{'trials':>9}{'CPU s':>9}{'memory MB':>11}{'output MB':>11}{'exponent':>10}", flush=True)
    before: dict[str, tuple[int, Cost]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary) / "scratch"
        scratch.mkdir()
        for trials in options.trials:
            folder = Path(temporary) / str(trials)
            writer = multiprocessing.get_context("spawn").Process(  # memory of ours would be its children's
                target=write, args=(folder, _MEMBERS, trials // _MEMBERS)
            )
            writer.start()
            writer.join()
            for name in options.commands:
                cost = min(run(name, folder, scratch) for _ in range(options.runs))
                print(_row(name, trials, cost, *before.get(name, (trials, cost))), flush=True)
                before[name] = trials, cost


def _row(name: str, trials: int, cost: Cost, fewer: int, base: Cost) -> str:
    exponent = math.log(cost.seconds / base.seconds) / math.log(trials / fewer) if trials > fewer else 0.0
    numbers = f"{cost.seconds:9.2f}{cost.memory / 1e6:11.0f}{cost.output / 1e6:11.2f}{exponent:10.2f}"
    return f"{name:20}{trials:9}{numbers}"


if __name__ == "__main__":
    main()
