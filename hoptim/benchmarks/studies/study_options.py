"""Options that all studies of real training share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import hoptim
from hoptim.benchmarks.run_options import RunOptions, number, path_to
from hoptim.benchmarks.studies.methods import COSINE, METHODS
from hoptim.benchmarks.studies.training import PopulationTraining

_SETTINGS = "settings.json"


@dataclass(frozen=True)
class StudyOptions(RunOptions):
    """The number of runs, the methods, and where the studies are kept.

    Args:
        runs: Runs of each method, one seed each; at least 2. Default: 5.
        methods: Names of `METHODS`. Default: None, which takes all.
        tune_lr: Tune the learning rate, too, instead of lowering it by a cosine. Default: False.
        folder: Folder of the studies, which go on from where they were when the command is given again.
            Default: None, in memory.
        scale: Size of data, models and training: "small" for one core, or "paper". Default: "small".

    Raises:
        ArgumentError: A number below its minimum, an unknown method or scale, a file that is not as it
            should be, or a folder with studies of other data.
        MissingExtra: PyTorch is not installed.
    """

    runs: int = field(default=5, metadata=number("runs of each method, at least 2", minimum=2))
    methods: Sequence[str] | None = field(
        default=None,
        metadata={
            "nargs": "+", "metavar": "NAME", "help": f"some of {', '.join(METHODS)}; all by default",
        },
    )  # fmt: skip
    tune_lr: bool = field(
        default=False,
        metadata={
            "action": "store_true", "help": "tune the learning rate instead of lowering it by a cosine",
        },
    )  # fmt: skip
    folder: Path | None = field(
        default=None, metadata=path_to("keep the studies in DIR, and go on with those that are there")
    )
    scale: str = field(
        default="small",
        metadata={"choices": ("small", "paper"), "help": "small for one core, or paper for a GPU"},
    )

    reported: ClassVar[tuple[str, ...]] = (*RunOptions.reported, "tune_lr", "scale")

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.names if name not in self._known]:
            raise hoptim.ArgumentError(f"methods must be some of {self._known}, found {unknown}.")
        check_torch()
        made = self.training(1)  # so that wrong data are found before anything is trained
        if self.folder is not None:
            _check_settings(self.folder, {"study": made.name, "data": made.data, "tune_lr": self.tune_lr})

    @property
    def training(self) -> Callable[[int], PopulationTraining]:
        """Return the function of a size that makes a population to train; it can be pickled."""
        raise NotImplementedError

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the methods, each once, in the order of the table."""
        chosen = dict.fromkeys(self.methods or self._known)
        return tuple(sorted(chosen, key=lambda name: [*METHODS, name].index(name)))

    @property
    def _known(self) -> list[str]:
        return [name for name in METHODS if name != COSINE or self.tune_lr]

    def path(self, method: str, seed: int) -> Path | None:
        """Return the directory of a run's study, None in memory."""
        return None if self.folder is None else self.folder / method / f"seed-{seed}"


def check_torch() -> None:
    """Raise `MissingExtra` unless PyTorch is installed, before a worker needs it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise hoptim.MissingExtra.of("The studies need PyTorch, which is not installed", "torch") from error


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Compare what each study's own settings do not tell with the folder's, which are written at first."""
    file = folder / _SETTINGS
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(json.dumps(settings, indent=1) + "\n", encoding="ascii")
        return
    try:
        found = json.loads(file.read_text(encoding="ascii"))
    except ValueError:
        raise hoptim.ArgumentError(
            f"{str(file)!r} is not what hoptim wrote: give another folder."
        ) from None
    if found != settings:
        raise hoptim.ArgumentError(
            f"The folder {str(folder)!r} has studies with {found}, asked for {settings}: give another one."
        )
