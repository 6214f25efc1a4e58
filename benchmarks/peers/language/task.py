"""A run of the language study, as `benchmarks/language_peers.py` gives it to an adapter."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.studies.language import LanguageTraining

SPACE = LanguageTraining.space(tune_lr=False)

_VARIABLE = "LANGUAGE_TASK"  # inherited by whatever processes a package starts
_WEIGHTS, _DROPOUT = 1, 2  # streams of draws beside that of the first hyperparameters, which is 0


class Delivered(NamedTuple):
    """What a package says that it found.

    Attributes:
        member: File that `Member.save` wrote.
        versions: Versions on which the result depends.
    """

    member: Path
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """One run.

    Args:
        seed: Seed of the run.
        size: Members.
        steps: Intervals of each.
        cores: Members that are trained at once, where a package lets that be chosen.
        folder: Empty folder of the run.
        arguments: Arguments of the adapter.
    """

    seed: int
    size: int
    steps: int
    cores: int
    folder: str
    arguments: Mapping[str, Any]

    @property
    def kept(self) -> Path:
        """Return the folder of all that the package keeps."""
        return Path(self.folder) / "kept"

    @property
    def starts(self) -> list[dict[str, Any]]:
        """Return the members' first hyperparameters, those of the study with the same seed."""
        space, rng = hoptim.Space(SPACE), np.random.default_rng([self.seed, 0])
        return [space.decode(space.draw(rng)) for _ in range(self.size)]

    def weights_seed(self, member: int) -> int:
        """Return the seed of a member's first weights."""
        return self._drawn(_WEIGHTS, member)

    def dropout_seed(self, member: int, age: int) -> int:
        """Return the seed of an interval's dropout."""
        return self._drawn(_DROPOUT, member, age)

    def _drawn(self, *stream: int) -> int:
        return int(np.random.default_rng([self.seed, *stream]).integers(2**31))

    # -- between processes ---------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """Return the environment variable from which `current` makes this task."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def current(cls) -> Task:
        """Return the task of this process."""
        return cls(**json.loads(os.environ[_VARIABLE]))

    def record(self, seconds: float) -> None:
        """Write down that an interval was trained, and its seconds of the processor."""
        with self._intervals.open("a", encoding="ascii") as file:  # a short line is appended as a whole
            file.write(f"{seconds:.6f}\n")

    def recorded(self) -> list[float]:
        """Return the seconds of each interval that was trained, by whatever process."""
        if not self._intervals.exists():
            return []
        return [float(line) for line in self._intervals.read_text(encoding="ascii").splitlines()]

    def deliver(self, found: Delivered) -> None:
        """Write down what a package found."""
        said = {"member": str(found.member), "versions": dict(found.versions)}
        self._delivered.write_text(json.dumps(said), encoding="ascii")

    def delivered(self) -> Delivered:
        """Return what a package found."""
        said = json.loads(self._delivered.read_text(encoding="ascii"))
        return Delivered(Path(said["member"]), said["versions"])

    @property
    def _intervals(self) -> Path:
        return Path(self.folder) / "intervals"

    @property
    def _delivered(self) -> Path:
        return Path(self.folder) / "delivered"


def serve(play: Callable[[Task], Path], *packages: str) -> None:
    """Do the task of this process.

    Args:
        play: Trains the population and returns the file of the member that the package found best.
        packages: Packages whose versions are reported.
    """
    task = Task.current()
    member = play(task)
    known = {name: version(name) for name in ("numpy", "torch", *packages)}
    task.deliver(
        Delivered(member, {"python": platform.python_version(), "hoptim": hoptim.__version__, **known})
    )
