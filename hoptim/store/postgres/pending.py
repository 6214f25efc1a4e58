"""What a hold of a study's lock adds when it ends, in one transaction."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection


class Pending:
    """Lines and signs that the thread which holds the lock has added and taken away so far.

    One serves the journal and the signs of a backend, so that no sign is away before what was appended
    in the same hold is durable.

    Attributes:
        lines: Lines to append, without their newlines.
        hidden: Kind and name of each sign to take away.
    """

    def __init__(self) -> None:
        self._holder: tuple[int, int] | None = None
        self.lines: list[str] = []
        self.hidden: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Begin to gather for a hold of this thread."""
        self._holder = _me()
        self.lines, self.hidden = [], []

    def end(self) -> None:
        """Gather no longer; what there is stays to be read."""
        self._holder = None

    def hide(self, kind: str, names: Collection[str]) -> bool:
        """Take signs away with the hold of this thread; return False if it has none."""
        if self._holder != _me():
            return False
        self.hidden += [(kind, name) for name in names]
        return True


def _me() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
