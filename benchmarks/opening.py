"""The cost of opening a long study and asking once, with its snapshot and without.

Studies of 16 members are written as if they had been trained, and trained on for real until a worker
has written a snapshot. CPU seconds and growth of memory are those of a fresh process after its imports,
the least of some runs. Then asks in all studies are timed in turns.

    python benchmarks/opening.py [--trials 1000 10000 100000 1000000] [--runs 3] [--asks 2000]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from costs.machine import header
from written import write

import hoptim

_MEMBERS = 16
_OPEN = """
import json, os, sys, time
sys.path[:0] = sys.argv[2:]
import hoptim, filelock, numpy.random
hoptim.load

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before, began = memory(), time.process_time()
trial = hoptim.load(sys.argv[1]).ask()
print(json.dumps([time.process_time() - began, (memory() - before) / 2**20, trial.number, trial.params]))
"""


class Opening(NamedTuple):
    """What a fresh process spent on opening a study and asking once.

    Attributes:
        cpu: CPU seconds.
        memory: Growth of its memory, MiB.
        trial: Number and hyperparameters of the trial.
    """

    cpu: float
    memory: float
    trial: str


def written(folder: Path, trials: int) -> None:
    """Make a study of a number of trials, and train it until it has a snapshot."""
    steps = trials // _MEMBERS
    write(folder, _MEMBERS, steps)
    study = longer(folder)
    while not (folder / "snapshot.json").exists():
        train(study)
    study._session.store.leave()


def longer(folder: Path) -> hoptim.Study:
    """Open a study with more steps than it will be trained."""
    found = hoptim.load(folder)
    found._session._extend(found.steps + 10_000)
    return found


def train(study: hoptim.Study) -> float:
    """Ask and tell once, and return the seconds of the ask."""
    began = time.perf_counter()
    trial = study.ask()
    asked = time.perf_counter()
    assert trial is not None
    trial.tell(trial.params["lr"])
    return asked - began


def opened(folder: Path) -> Opening:
    """Open a study and ask once in a fresh process, whose exit hands the trial back."""
    command = [sys.executable, "-c", _OPEN, str(folder), str(Path(hoptim.__file__).parent.parent)]
    out = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    cpu, memory, *trial = json.loads(out)
    return Opening(cpu, memory, str(trial))


def least(folder: Path, runs: int) -> Opening:
    """Open a study some times; the trial must be the same each time."""
    found = [opened(folder) for _ in range(runs)]
    assert len({each.trial for each in found}) == 1
    return Opening(min(each.cpu for each in found), min(each.memory for each in found), found[0].trial)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--asks", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print(header(Path(temporary)))
        print(f"open and ask once{'snapshot':>10} KB  with it: CPU s    MiB  without: CPU s     MiB")
        folders = {trials: Path(temporary) / str(trials) for trials in arguments.trials}
        for trials, folder in folders.items():
            written(folder, trials)
            copy = folder.with_name("copy")  # so that both propose the trial
            shutil.copytree(folder, copy)
            (copy / "snapshot.json").unlink()
            found, without = least(folder, arguments.runs), least(copy, arguments.runs)
            assert found.trial == without.trial
            shutil.rmtree(copy)
            size = (folder / "snapshot.json").stat().st_size / 1e3
            print(
                f"{trials:10} trials{size:10.1f} {found.cpu:18.3f}{found.memory:7.1f}"
                f"{without.cpu:16.3f}{without.memory:8.1f}",
                flush=True,
            )
        compare_asks(folders, arguments.asks)


def compare_asks(folders: dict[int, Path], asks: int) -> None:
    """Time asks in studies of different lengths in turns, and print them as ratios to the shortest."""
    studies = {trials: longer(folder) for trials, folder in folders.items()}
    seconds: dict[int, list[float]] = {trials: [] for trials in studies}
    for study in studies.values():
        train(study)  # the first one makes files
    for _ in range(asks):
        for trials, study in studies.items():
            seconds[trials].append(train(study))
    first = quantiles(seconds[min(seconds)])
    print("ask                   p50 ms   p99 ms   p50, p99 / those of the shortest")
    for trials, found in seconds.items():
        p50, p99 = quantiles(found)
        ratios = f"{p50 / first[0]:.2f}, {p99 / first[1]:.2f}"
        print(f"{trials:10} trials{1e3 * p50:11.3f}{1e3 * p99:9.3f}   {ratios}")


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    return statistics.median(seconds), sorted(seconds)[len(seconds) * 99 // 100]


if __name__ == "__main__":
    main()
