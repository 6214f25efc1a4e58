"""Curves for TensorBoard: one file of events for each run, cut back to where the last commit left it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoptim._files import explained, is_there, sync
from hoptim._paths import absolute_path
from hoptim.errors import ArgumentError, MissingExtra

_FILE = "events.out.tfevents.0.hoptim"  # of each run; other tools never write one of this name


class TensorBoardLogger:
    """Logger that writes files for TensorBoard; `tensorboard --logdir FOLDER` shows them as they grow.

    A run `member/03` has a member's trials over its own step: the value, metrics and numeric
    hyperparameters as curves; exploits, failures and other hyperparameters as texts. Once the study has
    ended, the run `winner/trial-N` has the line that led to the best trial, over the age of the weights.

    Args:
        folder: Folder for the runs and the place in the journal; made if it is not there.

    Raises:
        MissingExtra: tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.plugins.text.summary_v2 import text_pb
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise MissingExtra.of(
                "Curves for TensorBoard need tensorboard, which is not installed", "tensorboard"
            ) from error
        self._event, self._summary, self._text, self._writer = Event, Summary, text_pb, RecordWriter
        self.folder = absolute_path(folder)
        self._sizes: dict[str, int] = {}
        self._pending: dict[str, io.BytesIO] = {}

    def begin(self, uuid: str, title: str, mark: Any) -> None:
        """Begin, or cut all files back to the mark."""
        self._sizes, self._pending = dict(mark or {}), {}
        for path in self.folder.rglob(_FILE):
            if self._run(path) not in self._sizes:
                with explained("remove", path):
                    path.unlink()
        for run, size in self._sizes.items():
            path = self.folder / run / _FILE
            with explained("look at", path):
                there = path.stat().st_size if is_there(path) else 0
            if there < size:
                raise ArgumentError(
                    f"{str(path)!r} was removed or cut. Remove {str(self.folder)!r}, and the study is "
                    "logged anew."
                )
            with explained("write", path):
                os.truncate(path, size)

    def log(self, run: str, step: int, values: Mapping[str, float], at: float) -> None:
        """Add a point to curves."""
        value = self._summary.Value
        points = [value(tag=name, simple_value=number) for name, number in values.items()]
        self._add(run, self._event(wall_time=at, step=step, summary=self._summary(value=points)))

    def event(self, run: str, step: int, values: Mapping[str, str], at: float) -> None:
        """Add texts."""
        for name, text in values.items():
            self._add(run, self._event(wall_time=at, step=step, summary=self._text(name, text)))

    def commit(self) -> dict[str, int]:
        """Write what was added; return the size of each run's file."""
        for run, data in self._pending.items():
            path = self.folder / run / _FILE
            with explained("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as out:
                    out.write(data.getvalue())
                    self._sizes[run] = out.tell()
                sync(path)
                sync(path.parent)
        self._pending = {}
        return dict(self._sizes)

    def end(self) -> None:
        """End the runs; nothing is to be done."""

    def _run(self, path: Path) -> str:
        return str(path.parent.relative_to(self.folder))

    def _add(self, run: str, event: Any) -> None:
        if run not in self._pending:
            self._pending[run] = io.BytesIO()
            if run not in self._sizes:
                self._add(run, self._event(wall_time=event.wall_time, file_version="brain.Event:2"))
        self._writer(self._pending[run]).write(event.SerializeToString())
