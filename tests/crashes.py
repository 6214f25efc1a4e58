"""Crashes of a server: all its processes are killed at once, and it is started again."""

from __future__ import annotations

import argparse
import random
import time

_AWAY = 0.5  # seconds at most between a crash and a new start
_DELAY = 0.05  # seconds at most between a look at how far a study is and a crash


def is_due(done: int, wanted: int, told: int, total: int) -> bool:
    """Whether the next of some faults is due that are spread evenly over the tells of a study.

    None is before the first tell, or in the last tenth: so all are over before the study is.
    """
    return done < wanted and 10 * told * wanted > 9 * done * total


class Crashes:
    """Crashes of the server of a study, spread evenly over it.

    Args:
        options: Options of the chaos; without a server of its own there are none.

    Attributes:
        done: How many there have been.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options, self._rng = options, random.Random(options.seed)
        self._back: float | None = None  # when the server is started again
        self.done = 0

    def look(self, told: int) -> None:
        """Kill the server or start it again, if that is due after so many tells."""
        options = self._options
        if self._back is not None:
            if time.monotonic() >= self._back:
                self.end()
        elif is_due(self.done, options.crashes, told, options.members * options.steps):
            time.sleep(self._rng.uniform(0.0, _DELAY))
            options.server.kill()
            self.done += 1
            self._back = time.monotonic() + self._rng.uniform(0.0, _AWAY)

    def end(self) -> None:
        """Leave the server running."""
        if self._back is not None:
            self._back = None
            self._options.server.start()
