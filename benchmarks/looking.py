"""The cost of looking at a long, busy study, for the observer and for the workers.

A study of 16 members is trained in memory's speed until 10^5 trials have ended. Then 16 processes go on
with it, each trial a pause of 0.1 s, while nobody looks and while `hoptim watch` does, in turns: trials a
second, as the ratio of the two, medians over the rounds. In between `hoptim status` runs as a
command of its own.

    python benchmarks/looking.py [--trials 100000] [--workers 16] [--seconds 10] [--rounds 5]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hoptim

_MEMBERS = 16
_PAUSE = 0.1  # seconds that a trial takes


def study(folder: Path, steps: int) -> hoptim.Study:
    """Open the study with a number of steps."""
    space = {"lr": hoptim.Float(1e-5, 1.0, log=True), "dropout": hoptim.Float(0.0, 0.9)}
    return hoptim.Study(folder, space=space, size=_MEMBERS, steps=steps, mode="min", seed=0)


def work(folder: Path, steps: int) -> None:
    """Train until stopped, in each worker process."""
    for trial in study(folder, steps):
        time.sleep(_PAUSE)
        trial.tell(trial.params["dropout"])


def rate(made: hoptim.Study, seconds: float) -> float:
    """Return the trials that end per second, counted over some seconds."""
    before, began = made.results().finished, time.monotonic()
    time.sleep(seconds)
    return (made.results().finished - before) / (time.monotonic() - began)


def command(*words: object) -> list[str]:
    """Return the command line of `hoptim`, however it is installed."""
    return [sys.executable, "-m", "hoptim", *map(str, words)]


def status_seconds(folder: Path) -> float:
    """Return the seconds that `hoptim status` takes from start to end."""
    began = time.monotonic()
    subprocess.run(command("status", folder), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def watched(folder: Path, made: hoptim.Study, seconds: float) -> float:
    """Return `rate` while a running watch looks every 2 s."""
    words = command("watch", folder, "--json")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()  # the first look reads everything, the others what is new
        try:
            return rate(made, seconds)
        finally:
            watch.kill()


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Grow the study, let workers go on with it, look, and print."""
    steps = options.trials // _MEMBERS
    for trial in study(folder, steps):
        trial.tell(trial.params["dropout"])
    idle = [status_seconds(folder) for _ in range(3)]
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=work, args=(folder, 10**6), daemon=True) for _ in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    made = hoptim.load(folder)
    while len(made.status().running) < options.workers:
        time.sleep(0.5)
    time.sleep(5.0)  # until all have read everything
    alone, looked, busy = [], [], []
    for _ in range(options.rounds):
        alone.append(rate(made, options.seconds))
        looked.append(watched(folder, made, options.seconds))
        busy.append(status_seconds(folder))
    began = time.monotonic()
    made.status()
    again = time.monotonic() - began
    ratios = sorted(b / a for a, b in zip(alone, looked, strict=True))
    for worker in workers:
        worker.kill()
        worker.join()
    ideal = options.workers / _PAUSE
    print(f"status of {options.trials} trials, nobody trains        {statistics.median(idle):6.2f} s")
    print(f"status, {options.workers} workers train                  {statistics.median(busy):6.2f} s")
    print(f"another look by the same process            {again:6.2f} s")
    print(f"trials a second, nobody looks               {statistics.median(alone):6.1f}   of {ideal:.0f}")
    print(f"trials a second, a watch looks every 2 s    {statistics.median(looked):6.1f}")
    spread = f"({ratios[0]:.2f} .. {ratios[-1]:.2f})"
    print(f"ratio                                       {statistics.median(ratios):6.2f}   {spread}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary) / "study", options)


if __name__ == "__main__":
    main()
