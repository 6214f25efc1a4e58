"""Memory of a process: the trial whose weights it holds, by what it told last."""

from __future__ import annotations

import os
import threading

StudyKey = tuple[str, str]  # uuid and real path of the directory; a copy is another study

# Pid, thread and number of the last acknowledged tell. The weights in memory belong to the process,
# so this outlives any one Study object.
_told: dict[StudyKey, tuple[int, int, int]] = {}


class LastTold:
    """The trial that this process told last on one study, if it did nothing else since.

    Args:
        study: Key of the study.
    """

    def __init__(self, study: StudyKey) -> None:
        self._study = study

    def remember(self, number: int) -> None:
        """Remember the acknowledged tell of a trial in this thread."""
        _told[self._study] = (os.getpid(), threading.get_ident(), number)

    def forget(self) -> None:
        """Drop that memory: this process did something else on the study."""
        _told.pop(self._study, None)

    def take(self) -> int | None:
        """Return the trial that was told last, in this thread and process, and forget it."""
        pid, thread, number = _told.pop(self._study, (0, 0, -1))
        return number if (pid, thread) == (os.getpid(), threading.get_ident()) else None
