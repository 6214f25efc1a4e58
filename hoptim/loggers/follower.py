"""Following a journal: each trial that ended is told to a logger once, whatever is killed in between."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from hoptim._text import printable
from hoptim.analysis.flat_table import flat
from hoptim.errors import NoResult
from hoptim.loggers.logger import Logger
from hoptim.loggers.place import Place
from hoptim.session.results import Results
from hoptim.study import Study
from hoptim.trial import FinishedTrial


def follow(study: Study, logger: Logger, every: float = 2.0) -> None:
    """Log a study until it is done or has stopped: all trials so far, then each as it ends.

    It reads the journal, beside the workers or afterwards, so what was trained while it did not run is
    logged when it runs again. Killed at any point and started again, it logs no trial twice and leaves
    none out.

    Args:
        study: Study to follow; nothing is written to its directory.
        logger: Logger, such as `TensorBoardLogger("runs/digits-curves")`.
        every: Seconds between two looks at the journal. Default: 2.

    Raises:
        ArgumentError: Another process logs to the logger's folder, or it is of another study.
        StoreError: The study cannot be read, or the logger's files cannot be written.
    """
    with Follower(study, logger) as follower:
        while not follower.look():
            time.sleep(every)


class Follower:
    """Tells a logger of the trials of a study, in the order of their ends.

    Args:
        study: Study to follow.
        logger: Logger to tell.

    Raises:
        ArgumentError: Another process logs to the logger's folder, or it is of another study.
    """

    def __init__(self, study: Study, logger: Logger) -> None:
        self._study, self._logger = study, logger
        self._place = Place(logger.folder, study.uuid)
        try:
            logger.begin(study.uuid, Path(study.path or "study").name, self._place.mark)
        except BaseException:
            self._place.leave()
            raise

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._place.leave()

    def look(self) -> bool:
        """Log the trials that ended since the last look; return True if no more are to come."""
        found, winner, ended = self._study.results(), self._place.winner, False
        if found.done or (found.stopped is not None and self._study.status().ended):
            found, ended = self._study.results(), True  # with what was told meanwhile
        trials = found.since(self._place.record)
        for trial in trials:
            self._log(trial, found)
        if ended:
            winner = self._log_winner(found)
        if trials or winner != self._place.winner:
            self._place.move(found.records, winner, self._logger.commit())
        if ended:
            self._logger.end()
        return ended

    def _log(self, trial: FinishedTrial, found: Results) -> None:
        run = f"member/{trial.member:02}"
        params = flat("params", self._study.space.record(trial.params))
        curves, texts = _split({"value": trial.value, **params, **flat("metrics", trial.metrics)})
        if trial.failed is not None:
            texts["failed"] = printable(trial.failed)
        if (exploit := found.family.exploit(trial)) is not None:
            texts["exploit"] = str(exploit)
        self._add(run, trial.step, curves, texts, trial.ended)

    def _log_winner(self, found: Results) -> int | None:
        """Log the best trial's line by age, unless that was done; return the trial's number."""
        with suppress(NoResult):
            best = found.best
            if best.number == self._place.winner:
                return best.number
            run, member = f"winner/trial-{best.number}", None
            for interval in found.schedule(best):
                params = flat("params", self._study.space.record(interval.params))
                curves, texts = _split({"value": interval.value, **params})
                if member not in {None, interval.member}:
                    texts["exploit"] = f"member {interval.member} copied member {member}"
                member = interval.member
                self._add(run, interval.age, curves, texts, best.ended)
            return best.number
        return self._place.winner

    def _add(
        self, run: str, step: int, curves: Mapping[str, float], texts: Mapping[str, str], at: float
    ) -> None:
        if curves:
            self._logger.log(run, step, curves, at)
        if texts:
            self._logger.event(run, step, texts, at)


def _split(values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the finite numbers among values by dotted names, and the rest as text but for NaN and None."""
    curves: dict[str, float] = {}
    texts: dict[str, str] = {}
    for dotted, value in values.items():
        name = printable(dotted.replace(".", "/", 1))  # one group each of hyperparameters and metrics
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if math.isfinite(value):
                curves[name] = float(value)
        elif value is not None:
            texts[name] = printable(str(value))
    return curves, texts
