"""A line on the terminal while a long journal is read."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from hoptim._text import printable
from hoptim.cli.output import discarded_if_failing
from hoptim.store.reading import show_with

_PATIENCE = 1.0  # seconds before anything is said
_EVERY = 0.2  # seconds between two lines
_CLEAR = "\r\x1b[K"


class ReadingLine:
    """How far a journal is read, on one line that is gone in the end.

    Args:
        name: Name of the study.
        stream: Terminal.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name, self._stream = printable(name), stream
        self._next = time.monotonic() + _PATIENCE
        self._shown = False

    def __call__(self, read: int, size: int) -> None:
        """Show the line if it is time, or take it away."""
        if read >= size:
            if self._shown:
                self._write("")
            self._shown = False
        elif time.monotonic() >= self._next:
            self._write(f"Reading {self._name}: {100 * read // size} % of {size / 1e6:.0f} MB")
            self._shown, self._next = True, time.monotonic() + _EVERY

    def _write(self, text: str) -> None:
        with discarded_if_failing(self._stream):
            self._stream.write(f"{_CLEAR}{text}")
            self._stream.flush()


def show_reading(name: str) -> None:
    """Show on standard error how far a study's journal is read, if that is a terminal and takes long."""
    if sys.stderr.isatty():
        show_with(ReadingLine(name, sys.stderr))
