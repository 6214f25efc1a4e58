"""The cost of asking and telling without any training, as ratios within one run.

In memory the unit is milliseconds. On files the baseline is a bare loop of flock, append 200 bytes,
fsync: two rounds of it, one for the ask and one for the tell. The baseline runs before and after
each measurement, in alternation, so that a busy machine slows both.

    python benchmarks/tell_and_ask.py [--rounds 7] [--trials 400]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import hoptim

_LINE = b"x" * 199 + b"\n"


def bare_loop(folder: Path, rounds: int) -> float:
    """Return the seconds of each round of flock, append, fsync."""
    began = time.perf_counter()
    for _ in range(rounds):
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        fd = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, _LINE)
        os.fsync(fd)
        os.close(fd)
        os.close(lock)
    return (time.perf_counter() - began) / rounds


def study(path: Path | None, trials: int) -> float:
    """Return the seconds of each trial of a study of 16 members with two hyperparameters."""
    space = {"x": hoptim.Float(0.0, 2.0, init=0.8), "y": hoptim.Float(0.0, 2.0, init=0.4)}
    made = hoptim.Study(path, space=space, size=16, steps=trials // 16, mode="min", seed=0)
    began = time.perf_counter()
    for trial in made:
        trial.tell(trial.params["x"])
    return (time.perf_counter() - began) / (trials // 16 * 16)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="repeats; medians are printed")
    parser.add_argument("--trials", type=int, default=400, help="trials in each repeat")
    arguments = parser.parse_args()
    memory, files, bare, ratios = [], [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        study(None, 160)
        study(folder / "warm", 160)
        for i in range(arguments.rounds):
            before = bare_loop(folder, arguments.trials)
            files.append(study(folder / str(i), arguments.trials))
            after = bare_loop(folder, arguments.trials)
            bare.append((before + after) / 2)
            ratios.append(files[-1] / (2 * bare[-1]))
            memory.append(study(None, 5 * arguments.trials))
        size = (folder / "0" / "journal.jsonl").stat().st_size / (arguments.trials // 16 * 16)
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"in memory, tell + ask          {1e3 * statistics.median(memory):8.3f} ms")
    print(f"on files, tell + ask           {1e3 * statistics.median(files):8.3f} ms")
    print(f"bare loop, two rounds          {2e3 * statistics.median(bare):8.3f} ms")
    spread = f"({min(ratios):.2f} .. {max(ratios):.2f})"
    print(f"on files / two bare rounds     {statistics.median(ratios):8.2f}    {spread}")
    print(f"journal                        {size:8.0f} bytes a trial")


if __name__ == "__main__":
    main()
