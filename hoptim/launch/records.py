"""What the study of a launch records of its workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from hoptim.errors import ArgumentError, HoptimError
from hoptim.study import Study

log = logging.getLogger("hoptim")

_OPEN_EVERY = 1.0  # seconds between two looks for a study that is not made yet


class Records:
    """Records of the study that a launch trains; empty while there is none, or it cannot be read.

    Args:
        open: Function that opens the study; called until it returns.
    """

    def __init__(self, open: Callable[[], Study]) -> None:
        self._open = open
        self._study: Study | None = None
        self._due = 0.0  # next try to open it for its line

    def failures(self) -> int:
        """Return how many attempts failed, which `max_attempts` bounds for each trial."""
        with suppress(HoptimError):
            return self._opened().results().attempts
        return 0

    def record_deaths(self, start: str) -> bool:
        """Record the deaths of a start's workers as `Study.record_deaths`; return True if they held any."""
        try:
            return self._opened().record_deaths(start)
        except ArgumentError:  # there is no study
            return False
        except HoptimError as error:
            log.warning("What a dead worker held is left to others to take back: %s", error)
            return False

    def show_progress(self) -> None:
        """Draw the study's line of `progress=True` if it is time; a study that is not made yet has none."""
        if self._study is not None or time.monotonic() >= self._due:
            self._due = time.monotonic() + _OPEN_EVERY
            with suppress(HoptimError):
                self._opened().show_progress()

    def end_progress(self) -> None:
        """Draw that line for the last time."""
        if self._study is not None:
            self._study.end_progress()

    def _opened(self) -> Study:
        if self._study is None:
            self._study = self._open()
        return self._study
