"""The line of `progress=True`: how far a study is, on the terminal of the process that loops."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import suppress

from hoptim._text import printable
from hoptim.analysis.headline import headline
from hoptim.errors import HoptimError, NoResult
from hoptim.session.glance import without_waiting
from hoptim.session.session import Session

log = logging.getLogger("hoptim")

_EVERY = 0.25  # seconds between two looks
_COLUMNS = 80  # of a terminal that does not say how many it has


class ProgressLine:
    """One line on standard error, drawn again and again; nothing where that is no terminal.

    It belongs to the process that opened the study: a forked child draws nothing. A terminal that cannot be
    written is left alone from then on, and the training goes on. Messages of hoptim's log begin below it.

    Args:
        session: This process's session.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._process = session, os.getpid()
        self._wanted, self._due = session.options.progress, 0.0
        self._drawn, self._waited, self._width = False, False, 0

    def show(self, waits_for: str | None = None) -> None:
        """Draw the line if the last time is long enough ago, or said of the loop that it waits.

        Args:
            waits_for: Members without which the loop has nothing to do. Default: None, it has.
        """
        if not self._wanted or self._process != os.getpid():
            return
        if time.monotonic() >= self._due or (self._waited and waits_for is None):
            self._draw(waits_for)
            self._due, self._waited = time.monotonic() + _EVERY, waits_for is not None

    def end(self) -> None:
        """Draw it for the last time and go to the next line, if it was ever drawn."""
        if self._drawn and self._process == os.getpid():
            self._draw()
            self._go_below()
            log.removeFilter(self._go_below)
            self._drawn, self._waited, self._due = False, False, 0.0

    def _draw(self, waits_for: str | None = None) -> None:
        try:
            if sys.stderr.isatty():
                columns = os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
                text = printable(self._text(waits_for, columns - 1))[: columns - 1]
                sys.stderr.write(f"\r{text.ljust(min(self._width, columns - 1))}")
                sys.stderr.flush()
                self._drawn, self._width = True, len(text)
                log.addFilter(self._go_below)
        except HoptimError:  # another thread is at work, or the loop is about to say what is wrong
            return
        except Exception:  # whatever it is, it must not end the training
            self._wanted = False

    def _text(self, waits_for: str | None, columns: int) -> str:
        found = without_waiting(self._session)
        best = None
        with suppress(NoResult):
            best = found.best
        return headline(found, best, waits_for, columns)

    def _go_below(self, message: logging.LogRecord | None = None) -> bool:
        """Begin the next line if something stands on this one; return True, to keep a message."""
        if self._width and self._process == os.getpid():
            with suppress(Exception):
                sys.stderr.write("\n")
                sys.stderr.flush()
            self._width = 0
        return True
