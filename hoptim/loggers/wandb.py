"""Runs in Weights & Biases: written whole to a folder, or sent to a server that knows what it has."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hoptim._files import explained
from hoptim._paths import absolute_path
from hoptim.errors import ArgumentError, MissingExtra, StoreError

_NAMES = re.compile(r"[/\\#?%:]")  # what a project may not have in its name
_LONGEST_NAME = 128  # characters
_MODES = ("offline", "online")


class WandbLogger:
    """Logger that writes runs of Weights & Biases; nothing is sent unless the mode is "online".

    The runs are those of `TensorBoardLogger`, in a project and a group named as the study's directory; a
    step's texts are in its row beside the numbers. When the logger begins again it is told everything anew.
    Offline it then writes each run anew, in place of what it wrote before; online it goes on behind the
    last step that the server has. W&B's reports about itself, which it would send offline too, are off in
    this process unless `WANDB_ERROR_REPORTING` is set.

    Args:
        folder: Folder for the place in the journal and the runs; made if it is not there.
        mode: "offline", for `wandb sync` to send later, or "online". Default: that in the environment
            variable `WANDB_MODE`, else "offline".
        project: Name of the project. Default: that in `WANDB_PROJECT`, else that of the study's directory.

    Raises:
        ArgumentError: The mode is another one.
        MissingExtra: wandb is not installed.
    """

    def __init__(
        self, folder: str | os.PathLike[str], mode: str | None = None, project: str | None = None
    ) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # wandb.init would report in any mode
        try:
            import wandb
        except ImportError as error:
            raise MissingExtra.of(
                "Runs in Weights & Biases need wandb, which is not installed", "wandb"
            ) from error
        self._wandb, self.folder = wandb, absolute_path(folder)
        self._mode = mode or os.environ.get("WANDB_MODE") or "offline"
        if self._mode not in _MODES:
            raise ArgumentError(
                f"The mode of W&B is {self._mode!r}, but a logger's is 'offline' or 'online'. Pass one of "
                "them, or set WANDB_MODE to it."
            )
        self._project = project or os.environ.get("WANDB_PROJECT")
        self._runs: dict[str, Any] = {}
        self._pending: dict[str, dict[int, dict[str, Any]]] = {}

    def begin(self, uuid: str, title: str, mark: Any) -> None:
        """Begin to log a study, whose trials are all told again."""
        self._uuid, self._title = uuid, _NAMES.sub("_", title)[:_LONGEST_NAME]
        self.end()
        self._pending = {}
        with self._explained():
            if self._mode == "online" and not self._wandb.login(prompt=False, verify=False):
                raise ArgumentError(
                    "No key for W&B is configured. Run `wandb login`, set WANDB_API_KEY, or log with "
                    "WANDB_MODE=offline."
                )

    def log(self, run: str, step: int, values: Mapping[str, float], at: float) -> None:
        """Add a point to curves."""
        self._row(run, step, at).update(values)

    def event(self, run: str, step: int, values: Mapping[str, str], at: float) -> None:
        """Add texts."""
        self._row(run, step, at).update(values)

    def commit(self) -> None:
        """Hand over what was added; return None, since W&B does not say when it is durable."""
        with self._explained():
            for run, rows in self._pending.items():
                if run not in self._runs:
                    self._runs[run] = self._opened(run)
                for step, row in rows.items():
                    if step >= self._runs[run].starting_step:  # the server has the steps before
                        self._runs[run].log(row, step=step, commit=True)
        self._pending = {}

    def end(self) -> None:
        """Finish the runs: wait until they are written, or sent."""
        with self._explained():
            for run in self._runs.values():
                run.finish()
        self._runs = {}

    def _row(self, run: str, step: int, at: float) -> dict[str, Any]:
        return self._pending.setdefault(run, {}).setdefault(step, {"_timestamp": at})

    def _opened(self, run: str) -> Any:
        own, kind = f"{self._uuid}-{run.replace('/', '-')}", run.partition("/")[0]
        if self._mode == "offline":
            for old in (self.folder / "wandb").glob(f"offline-run-*-{own}"):
                with explained("remove", old):
                    shutil.rmtree(old)
        return self._wandb.init(
            project=self._project or self._title, group=self._title, job_type=kind, name=run,
            id=own, resume="allow" if self._mode == "online" else None, reinit="create_new",
            mode=self._mode, dir=str(self.folder), settings=self._settings(),
        )  # fmt: skip

    def _settings(self) -> Any:
        """Return settings by which W&B records nothing of its own about this process or its machine."""
        return self._wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True,
            x_disable_meta=True, x_disable_machine_info=True, x_save_requirements=False,
        )  # fmt: skip

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise `StoreError` for what W&B refuses."""
        try:
            yield
        except self._wandb.Error as error:
            raise StoreError(f"W&B refused: {error} Nothing is lost: run it again.") from error
