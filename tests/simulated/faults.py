"""What goes wrong in a schedule: drawn once at the beginning, by kind and by the call that meets it."""

from __future__ import annotations

import errno
import os
import random
from collections import Counter

WEIGHTS = {
    "kill": 5, "pause": 2, "stop": 2, "error": 6, "short": 2, "full": 1, "power": 3, "signal": 2
}  # fmt: skip
FOCUSES = ((), (), ("pwrite", "fsync", "ftruncate"), ("fsync",), ("link", "rename", "unlink", "mkdir"))
SCRIPTS = (  # faults that are only seen together, each at a call on the journal
    (("kill", "fsync"), ("power", "fsync")),
    (("error", "fsync"), ("kill", "ftruncate"), ("power", "fsync")),
    (("error", "fsync"), ("error", "ftruncate"), ("power", "fsync")),
    (("error", "pwrite"), ("kill", "ftruncate"), ("kill", "ftruncate")),
    (("stop", "fsync"), ("power", "fsync")),
)
REFUSALS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE)


class Injected(OSError):
    """An error that was drawn."""

    def __init__(self, number: int) -> None:
        super().__init__(number, os.strerror(number))


class Faults:
    """The faults of a schedule; for another system, of other kinds at other calls.

    Attributes:
        left: How many are still to come.
        happened: How many there were, by kind.
    """

    weights: dict[str, int] = WEIGHTS
    focuses: tuple[tuple[str, ...], ...] = FOCUSES
    scripts: tuple[tuple[tuple[str, str], ...], ...] = SCRIPTS
    place = ".jsonl"  # how the path ends of what a script is about

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._script = list(rng.choice(self.scripts)) if rng.random() < 0.2 else []
        self._focus = rng.choice(self.focuses)  # calls at which faults fall
        self._gap = rng.choice((3, 10) if self._focus or self._script else (30, 100, 300))
        self._until = rng.expovariate(1 / self._gap)  # such calls until the next one
        self.left = len(self._script) or rng.choice((0, 1, 2, 4, 8))
        self.happened: Counter[str] = Counter()

    def meets(self, op: str, path: str) -> str:
        """The kind of fault that a call meets, empty for none."""
        if not self.left:
            return ""
        if self._script:
            if op != self._script[0][1] or not path.endswith(self.place):
                return ""
        elif self._focus and op not in self._focus:
            return ""
        self._until -= 1
        return "" if self._until >= 0 else self._draw()

    def _draw(self) -> str:
        rng = self._rng
        self.left -= 1
        if self._script:
            kind, _ = self._script.pop(0)
            self._until = rng.randrange(3)
        else:
            kind = rng.choices(list(self.weights), list(self.weights.values()))[0]
            self._until = rng.expovariate(1 / self._gap)
        self.happened[kind] += 1
        return kind
