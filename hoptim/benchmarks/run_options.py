"""What all testbeds share: how much is run, and where it is written."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import hoptim


class RunOptions:
    """How much is run.

    Attributes:
        runs: Runs, one seed each.
        seed: Of the first; the others follow.
    """

    runs: int
    seed: int

    @property
    def seeds(self) -> range:
        """One for each run."""
        return range(self.seed, self.seed + self.runs)

    def check(self, **least: int) -> None:
        """Raise `ArgumentError` where a number is below its least."""
        for name, low in least.items():
            if getattr(self, name) < low:
                raise hoptim.ArgumentError(
                    f"{name} must be a whole number of at least {low}, found {getattr(self, name)!r}."
                )


def add_amounts(testbed: argparse.ArgumentParser, **defaults: int) -> None:
    """Options for how much is run, in the order in which help lists them.

    Args:
        testbed: The testbed's parser.
        **defaults: Of `runs`, and of `steps` where they can be chosen.
    """
    cores: int = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    for name, default, meaning in (
        ("runs", defaults["runs"], "runs of each row, at least 2"),
        ("steps", defaults.get("steps"), "steps of each member"),
        ("members", 16, "members of each population"),
        ("seed", 0, "seed of the first run; the others count on from it"),
        ("workers", cores, "processes that share the runs"),
    ):
        if default is not None:
            testbed.add_argument(
                f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} (default: {default})"
            )


def add_store(testbed: argparse.ArgumentParser) -> None:
    """An option for where studies are kept."""
    testbed.add_argument("--store", metavar="DIR", help="keep every study, in DIR/ROW/SEED")


def add_file(testbed: argparse.ArgumentParser, name: str, meaning: str) -> None:
    """An option for a file to write."""
    testbed.add_argument(f"--{name}", type=Path, metavar="FILE", help=meaning)


def amounts(options: argparse.Namespace, *more: str) -> dict[str, int]:
    """What was asked for, of the names that all testbeds have and some more."""
    return {name: getattr(options, name) for name in ("runs", "members", "seed", "workers", *more)}


def check_files(options: argparse.Namespace) -> None:
    """Raise `ArgumentError` now rather than after the work where a file cannot be written or drawn."""
    plot = getattr(options, "plot", None)
    for file in filter(None, (options.json, plot)):
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise hoptim.ArgumentError(
                f"{str(file)!r} cannot be written: it is a folder, or not in one of yours."
            )
    if plot is not None:
        from hoptim.plot import check_format

        check_format(plot)
