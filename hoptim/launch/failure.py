"""Failures of workers in words: an exit status, an error in full, an error in one line."""

from __future__ import annotations

import re
import signal
from contextlib import suppress

from hoptim.errors import WorkersFailed

_STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_NAMES_ONE = re.compile(r"[A-Za-z_][\w.]*: ")  # as in "ValueError: why", behind which others write more


class WorkerStopped(WorkersFailed):
    """A worker's process was ended by a signal that asks to stop, so somebody wanted it to."""


def failed(status: int, message: str) -> WorkersFailed:
    """Return the error of a worker whose process ended with a status.

    Args:
        status: Exit status of a process, not 0; negative for a signal, above 128 if a shell saw it.
        message: Text of the error.
    """
    number = -status if status < 0 else status - 128
    return (WorkerStopped if number in _STOPS else WorkersFailed)(message)


def ending(status: int) -> str:
    """Describe how a process ended, such as "was killed by SIGKILL".

    Args:
        status: Exit status of a process; that of one killed by a signal is the signal's negative.
    """
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-status}"


def in_full(error: Exception) -> str:
    """Return an error's name and text, the text alone for a `WorkersFailed`."""
    text = ""
    with suppress(Exception):  # an error that was unpickled may lack what its text is made of
        text = str(error).strip()
    if isinstance(error, WorkersFailed):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def last_line(error: Exception) -> str:
    """Return the last line of an error's text that names an error, or else its last line."""
    lines = in_full(error).splitlines()
    return next((line for line in reversed(lines) if _NAMES_ONE.match(line)), lines[-1])
