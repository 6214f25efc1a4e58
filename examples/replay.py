"""Train the best network of `digits.py` again from its schedule alone, without a study.

    python examples/replay.py RUN/pbt-0 [--save schedule.json]
    python examples/replay.py --schedule schedule.json

The first form takes the schedule from a study of `digits.py`; the second needs only the file. Both compare
the losses with the recorded ones.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from digits import SPACE, Digits, Network

import hoptim


def replay(schedule: hoptim.Schedule) -> list[float]:
    """Train one network by a schedule; return the validation loss after each interval."""
    digits, net, losses = Digits(), Network(schedule[0].seed), []
    for interval in schedule:
        net.apply(interval.params)
        net.train_epoch(digits, np.random.default_rng(interval.seed))
        losses.append(net.loss(*digits.validation))
    return losses


def main() -> None:
    """Replay the schedule that the command line names."""
    parser = argparse.ArgumentParser(description="Train the best network of digits.py again.")
    parser.add_argument("study", nargs="?", type=Path, help="directory of a study of digits.py")
    parser.add_argument("--schedule", type=Path, help="saved schedule to use instead")
    parser.add_argument("--save", type=Path, help="file to save the schedule to first")
    args = parser.parse_args()
    if (args.study is None) == (args.schedule is None):
        parser.error("give either the directory of a study or --schedule FILE")
    if args.schedule is None:
        schedule = hoptim.load(args.study).schedule()
    else:
        schedule = hoptim.Schedule.load(args.schedule, SPACE)
    if args.save is not None:
        schedule.save(args.save)
    losses = replay(schedule)
    print(f"{'age':>4}{'loss then':>22}{'loss now':>22}")
    for interval, loss in zip(schedule, losses, strict=True):
        print(f"{interval.age:4}{interval.value!r:>22}{loss!r:>22}")
    told = [(it.value, loss) for it, loss in zip(schedule, losses, strict=True) if not math.isnan(it.value)]
    if any(then != now for then, now in told):
        sys.exit("The losses differ: another machine or another version of numpy rounds differently.")
    print("Every loss is the same to the last bit.")


if __name__ == "__main__":
    main()
