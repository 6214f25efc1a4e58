"""A terminal, and what is seen on it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Terminal:
    """A terminal in place of standard error; what was written to it."""

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        self.stream = os.fdopen(theirs, "w")
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._read_all)  # a terminal holds a few kilobytes
        self._reader.start()

    def text(self) -> str:
        """What was written; closes the terminal."""
        self.stream.close()
        self._reader.join()
        return b"".join(self._read).decode()

    def _read_all(self) -> None:
        with suppress(OSError):  # how Linux tells the end
            while portion := os.read(self._ours, 4096):
                self._read.append(portion)
        os.close(self._ours)


def drawn(text: str) -> list[str]:
    """The lines that were drawn over each other, without what blanks out an earlier one."""
    return [line.rstrip() for line in text.removesuffix("\r\n").split("\r") if line.strip()]


def screen(text: str) -> str:
    """What is left to be seen of what was written, once lines were drawn over each other."""
    lines = []
    for line in text.split("\r\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return "\n".join(lines)
