"""Runs in MLflow, in a database of the logger's folder or on a tracking server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hoptim._paths import absolute_path
from hoptim._text import shortened
from hoptim.errors import ArgumentError, MissingExtra, StoreError

_RUN, _STUDY = "hoptim.run", "hoptim.study"  # tags by which a run is found again
_NAMES = re.compile(r"[^A-Za-z0-9_./ -]")  # what a name may not have in it
_LONGEST_NAME, _LONGEST_TEXT = 240, 4000  # characters
_METRICS, _TAGS = 1000, 100  # of one call


class MLflowLogger:
    """Logger that writes runs of MLflow; `mlflow ui` shows them.

    The runs are those of `TensorBoardLogger`, in the experiment named as the study's directory. Texts are
    tags, whose names end with the step. A database ignores what it has already, so after a kill nothing is
    there twice; MLflow's store of plain files, which is deprecated, would repeat the last points.

    Args:
        folder: Folder for the place in the journal and, unless there is a server, the database; made if it
            is not there.
        uri: Address of a tracking server or database. Default: that in the environment variable
            `MLFLOW_TRACKING_URI`, else a database in the folder.

    Raises:
        MissingExtra: MLflow is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], uri: str | None = None) -> None:
        try:
            from mlflow.entities import Metric, RunTag
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise MissingExtra.of("Runs in MLflow need mlflow, which is not installed", "mlflow") from error
        self._metric, self._tag, self._error, self._connect = Metric, RunTag, MlflowException, MlflowClient
        self.folder = absolute_path(folder)
        self._uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.folder}/mlflow.db"
        self._runs: dict[str, str] = {}
        self._open: set[str] = set()
        self._pending: dict[str, tuple[list[Any], list[Any]]] = {}

    def begin(self, uuid: str, title: str, mark: Any) -> None:
        """Find the runs of the study again, or begin."""
        with self._explained():
            self._client, self._uuid = self._connect(tracking_uri=self._uri), uuid
            found = self._client.get_experiment_by_name(title)
            self._experiment = (
                self._client.create_experiment(title) if found is None else found.experiment_id
            )
            runs = list(self._found())
        self._runs = {run.data.tags[_RUN]: run.info.run_id for run in runs}
        self._open = {run.info.run_id for run in runs if run.info.status == "RUNNING"}
        self._pending = {}
        lost = [name for name, own in (mark or {}).items() if self._runs.get(name) != own]
        if lost:
            raise ArgumentError(
                f"The run {lost[0]!r} is not in the experiment {title!r} of {self._uri!r}. Use the "
                f"server that has it, or remove {str(self.folder)!r}, and the study is logged anew."
            )

    def log(self, run: str, step: int, values: Mapping[str, float], at: float) -> None:
        """Add a point to curves."""
        points = [self._metric(_name(name), value, int(1000 * at), step) for name, value in values.items()]
        self._of(run)[0].extend(points)

    def event(self, run: str, step: int, values: Mapping[str, str], at: float) -> None:
        """Add texts."""
        tags = [
            self._tag(f"{_name(name)}.{step:06}", shortened(text, _LONGEST_TEXT))
            for name, text in values.items()
        ]
        self._of(run)[1].extend(tags)

    def commit(self) -> dict[str, str]:
        """Send what was added; return the identifiers of the runs by name."""
        with self._explained():
            for run, (metrics, tags) in self._pending.items():
                if run not in self._runs:
                    own = {_RUN: run, _STUDY: self._uuid}
                    made = self._client.create_run(self._experiment, run_name=run, tags=own)
                    self._runs[run] = made.info.run_id
                    self._open.add(made.info.run_id)
                for first in range(0, len(metrics), _METRICS):
                    self._client.log_batch(self._runs[run], metrics=metrics[first : first + _METRICS])
                for first in range(0, len(tags), _TAGS):
                    self._client.log_batch(self._runs[run], tags=tags[first : first + _TAGS])
        self._pending = {}
        return dict(self._runs)

    def end(self) -> None:
        """Mark the runs as finished."""
        with self._explained():
            for run in sorted(self._open):
                self._client.set_terminated(run)
        self._open = set()

    def _of(self, run: str) -> tuple[list[Any], list[Any]]:
        return self._pending.setdefault(run, ([], []))

    def _found(self) -> Iterator[Any]:
        page, token = None, None
        while page is None or token:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{_STUDY}` = '{self._uuid}'", page_token=token
            )
            token = page.token
            yield from page

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise `StoreError` for what MLflow refuses."""
        try:
            yield
        except self._error as error:
            raise StoreError(
                f"MLflow at {self._uri!r} refused: {error}. Nothing is lost: run it again."
            ) from error


def _name(name: str) -> str:
    """Return a name that MLflow takes; what it does not allow becomes an underscore."""
    return _NAMES.sub("_", name)[:_LONGEST_NAME]
