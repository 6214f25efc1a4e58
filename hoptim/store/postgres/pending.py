"""What a hold of a study's lock adds when it ends, in one transaction, and finds out as it begins."""

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
        watched: Kind and name of the sign that was last asked for in a hold, if there was any: each later
            hold finds out with its first message whether it is shown.
    """

    def __init__(self) -> None:
        self._holder: tuple[int, int] | None = None
        self.lines: list[str] = []
        self.hidden: list[tuple[str, str]] = []
        self.watched: tuple[str, str] | None = None
        self._shown: bool | None = None  # the watched one, as far as this hold knows

    def begin(self, shown: bool | None = None) -> None:
        """Begin to gather for a hold of this thread.

        Args:
            shown: True if the watched sign is shown. Default: None, not known.
        """
        self._holder = _me()
        self.lines, self.hidden = [], []
        self._shown = shown

    def end(self) -> None:
        """Gather no longer; what there is stays to be read."""
        self._holder = None

    def hide(self, kind: str, names: Collection[str]) -> bool:
        """Take signs away with the hold of this thread; return False if it has none."""
        if self._holder != _me():
            return False
        self.hidden += [(kind, name) for name in names]
        return True

    def is_shown(self, kind: str, name: str) -> bool | None:
        """Return whether a sign is shown, None if that is not known; nobody takes it away in our hold."""
        if self._holder != _me():
            return None
        if self.watched != (kind, name):
            self.watched, self._shown = (kind, name), None
        return self._shown


def _me() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
