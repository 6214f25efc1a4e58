"""A member that begins with a trained checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoptim._arguments import mapping_of, whole_of
from hoptim._paths import absolute_path

GIVEN = "start"  # in a worker's place, of the trials that stand for what was trained elsewhere


@dataclass(frozen=True)
class Start:
    """Hyperparameters and trained weights that a member begins with, as an entry of `Study(start=[...])`.

    The study begins with a trial of this member that has the checkpoint and no value, as after
    `Trial.advance`. It is the member's step 0, and it is not trained: the next trial, of the same
    hyperparameters, continues from the checkpoint, and has the first value. The checkpoint is copied into
    the study when that is made, and not looked for when it is opened again.

    Args:
        params: Hyperparameters, a full or partial mapping; what is left out is drawn.
        checkpoint: File or folder that the member continues from, as your `save` would write it. Links are
            followed.
        age: Intervals that the weights have been trained before: `age` of the member's first trial.
            Default: 0.

    Raises:
        ArgumentError: An argument cannot work.

    >>> import hoptim, tempfile
    >>> from pathlib import Path
    >>> weights = Path(tempfile.mkdtemp()) / "weights.txt"
    >>> _ = weights.write_text("0.5")
    >>> space = {"lr": hoptim.Float(0.0, 1.0)}
    >>> start = [hoptim.Start({"lr": 0.25}, checkpoint=weights, age=12)]
    >>> study = hoptim.Study(None, space=space, size=2, steps=5, mode="min", start=start, synchronous=True)
    >>> for trial in study:
    ...     w = float(Path(trial.checkpoint).read_text()) if trial.checkpoint else 1.0
    ...     trial.tell(w - trial.params["lr"], save=lambda path: Path(path).write_text(str(w)))
    >>> [(trial.step, trial.age, trial.value) for trial in study.trials if trial.member == 0][:2]
    [(0, 11, nan), (1, 12, 0.25)]
    """

    params: Mapping[str, Any]
    checkpoint: str | os.PathLike[str]
    age: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", mapping_of("Start: params", self.params))
        object.__setattr__(self, "checkpoint", str(absolute_path(self.checkpoint)))
        object.__setattr__(self, "age", whole_of("Start: age", self.age, 0))
