"""Options of a benchmark, declared once for Python and for the command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import hoptim

_CORES: int = getattr(os, "process_cpu_count", os.cpu_count)() or 1


def number(text: str, minimum: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the metadata of a field that holds a whole number.

    Args:
        text: Help of the option.
        minimum: Lowest value. Default: None.
        **more: Further keywords of `argparse.ArgumentParser.add_argument`.
    """
    return {"type": int, "metavar": "N", "help": text, "minimum": minimum, **more}


def path_to(text: str, metavar: str = "DIR", **more: Any) -> dict[str, Any]:
    """Return the metadata of a field that holds a path.

    Args:
        text: Help of the option.
        metavar: Name of the path in the help. Default: "DIR".
        **more: Further keywords of `argparse.ArgumentParser.add_argument`.
    """
    return {"type": Path, "metavar": metavar, "help": text, **more}


@dataclass(frozen=True)
class RunOptions:
    """The number and size of a benchmark's runs.

    A field's metadata are the keywords of `argparse.ArgumentParser.add_argument`, and `minimum`.

    Args:
        runs: Runs of each row of the table, one seed each. Default: 20.
        members: Members of each population. Default: 16.
        seed: Seed of the first run; later runs count on from it. Default: 0.
        workers: Processes that share the runs. Default: 1; more need a script with the usual
            `if __name__ == "__main__"`.

    Attributes:
        reported: Names of the options that results depend on, in the order in which JSON lists them.

    Raises:
        ArgumentError: A number below its minimum, or a value that is not among its choices.
    """

    runs: int = field(default=20, metadata=number("runs of each row, at least 2", minimum=2))
    members: int = field(default=16, metadata=number("members of each population", minimum=1))
    seed: int = field(
        default=0, metadata=number("seed of the first run; the others count on from it", minimum=0)
    )
    workers: int = field(
        default=1, metadata=number("processes that share the runs", minimum=1, default=_CORES)
    )

    reported: ClassVar[tuple[str, ...]] = ("runs", "members", "seed")

    def __post_init__(self) -> None:
        for option in fields(self):
            low, choices = option.metadata.get("minimum"), option.metadata.get("choices")
            value = getattr(self, option.name)
            if low is not None and value < low:
                raise hoptim.ArgumentError(
                    f"{option.name} must be a whole number of at least {low}, found {value!r}."
                )
            if choices is not None and value not in choices:
                raise hoptim.ArgumentError(
                    f"{option.name} must be one of {list(choices)}, found {value!r}."
                )

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Add an option for each field to a benchmark's parser."""
        for option in fields(cls):
            keywords = {"default": option.default, **option.metadata}
            keywords.pop("minimum", None)
            if keywords["default"] is not None and "action" not in keywords:
                keywords["help"] += " (default: %(default)s)"
            parser.add_argument(f"--{option.name.replace('_', '-')}", **keywords)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Self:
        """Return the options of a parsed command line."""
        return cls(**{option.name: getattr(arguments, option.name) for option in fields(cls)})

    @property
    def seeds(self) -> range:
        """Return the seeds, one per run."""
        return range(self.seed, self.seed + self.runs)

    @property
    def summary(self) -> str:
        """Return the number of runs, their seeds and the size of a population as a phrase."""
        return f"{self.runs} runs (seeds {self.seed} to {self.seeds[-1]}), {self.members} members"
