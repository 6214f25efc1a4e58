"""The cost of a long study: opening it, asking in it, and the bytes of its journal.

A study of 16 members and two hyperparameters is trained for real, in steps, until its journal has
10^5 records. At each length: seconds to open it and ask once in a fresh process, and how long an
ask takes (half of them) while it goes on, as a ratio to the same at 10^2 records, measured in turns.

    python benchmarks/growth.py [--records 100 1000 10000 100000] [--asks 2000]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hoptim

_MEMBERS = 16
_OPEN = """
import sys, time
sys.path[:0] = sys.argv[2:]
import hoptim, filelock
began = time.perf_counter()
study = hoptim.load(sys.argv[1])
study.ask()
print(time.perf_counter() - began)
"""


def opened(folder: Path, steps: int) -> hoptim.Study:
    """Open the study with a number of steps."""
    space = {"x": hoptim.Float(0.0, 2.0, init=0.8), "y": hoptim.Float(0.0, 2.0, init=0.4)}
    return hoptim.Study(folder, space=space, size=_MEMBERS, steps=steps, mode="min", seed=0)


def grow(folder: Path, records: int) -> None:
    """Train a study to the end of as many steps as make a number of records."""
    steps = records // 2 // _MEMBERS
    for trial in opened(folder, steps):
        trial.tell(trial.params["x"])


def open_seconds(folder: Path, steps: int) -> float:
    """Return the seconds to open the study and ask once, in a new process after all imports."""
    opened(folder, steps)
    command = [sys.executable, "-c", _OPEN, str(folder), str(Path(hoptim.__file__).parent.parent)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def ask_seconds(folder: Path, asks: int) -> list[float]:
    """Return the seconds of each ask, with a tell in between, in a copy of the directory."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        study = opened(Path(copy), hoptim.load(copy).steps + asks)
        found = []
        for i in range(asks + 20):
            began = time.perf_counter()
            trial = study.ask()
            if i >= 20:  # the first ones make files
                found.append(time.perf_counter() - began)
            assert trial is not None
            trial.tell(trial.params["x"])
    return sorted(found)


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    return statistics.median(seconds), seconds[len(seconds) * 99 // 100]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--asks", type=int, default=200, help="in each of 10 rounds")
    arguments = parser.parse_args()
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    columns = f"{'records':>8} {'bytes/trial':>12} {'open + ask s':>13} {'ask p50 ms':>11} {'p99 ms':>7}"
    print(f"{columns}  p50, p99 / those at {arguments.records[0]}")
    with tempfile.TemporaryDirectory() as temporary:
        first = Path(temporary) / "first"
        grow(first, arguments.records[0])
        folder = Path(temporary) / "study"
        for records in arguments.records:
            grow(folder, records)
            size = (folder / "journal.jsonl").stat().st_size / (records // 2 // _MEMBERS * _MEMBERS)
            here, base = [], []
            for _ in range(10):  # in turns, so that a busy machine slows both
                base += ask_seconds(first, arguments.asks)
                here += ask_seconds(folder, arguments.asks)
            (p50, p99), (base50, base99) = quantiles(sorted(here)), quantiles(sorted(base))
            seconds = statistics.median(
                open_seconds(folder, records // 2 // _MEMBERS + 1 + i) for i in range(5)
            )
            print(
                f"{records:8d} {size:12.0f} {seconds:13.3f} {1e3 * p50:11.3f} {1e3 * p99:7.3f}"
                f"  {p50 / base50:.2f}, {p99 / base99:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
