"""What the study of a launch records of its workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from hoptim.errors import ArgumentError, HoptimError
from hoptim.study import Study

log = logging.getLogger("hoptim")


class Records:
    """Records of the study that a launch trains; empty while there is none, or it cannot be read.

    Args:
        open: Function that opens the study; called until it returns.
    """

    def __init__(self, open: Callable[[], Study]) -> None:
        self._open = open
        self._study: Study | None = None

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

    def _opened(self) -> Study:
        if self._study is None:
            self._study = self._open()
        return self._study
