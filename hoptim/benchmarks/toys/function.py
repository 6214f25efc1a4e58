"""Studies that evaluate a function of the hyperparameters at each step and train nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import hoptim
from hoptim.benchmarks.run_options import RunOptions, number


@dataclass(frozen=True)
class FunctionOptions(RunOptions):
    """The number, size and place of studies of a function.

    Args:
        steps: Steps of each member, one evaluation each. Default: 100.
        store: Directory that keeps all studies. Default: None, which keeps them in memory.

    Raises:
        ArgumentError: A number below its minimum.
    """

    steps: int = field(default=100, metadata=number("steps of each member", minimum=1))
    store: str | None = field(
        default=None, metadata={"metavar": "DIR", "help": "keep every study, in DIR/ROW/SEED"}
    )

    reported: ClassVar = ("runs", "steps", "members", "seed")

    @property
    def summary(self) -> str:
        """Return the numbers of runs, members and steps as a phrase."""
        return f"{super().summary}, {self.steps} steps"

    def create_study(
        self, folder: str, seed: int, space: Mapping[str, hoptim.Dimension], optimizer: hoptim.Optimizer
    ) -> hoptim.Study:
        """Return a synchronous study that minimises; it continues if the store has it already.

        Args:
            folder: Folder of the optimizer's studies in the store.
            seed: Seed of the study, which also names its folder.
            space: Hyperparameters.
            optimizer: Search algorithm.
        """
        return hoptim.Study(
            self.store and Path(self.store, folder, str(seed)),
            space=space, optimizer=optimizer, size=self.members, steps=self.steps, mode="min",
            seed=seed, synchronous=True,
        )  # fmt: skip
