"""Errors of the driver, as it raises them for what goes wrong in a schedule."""

from __future__ import annotations

from typing import Any

from psycopg import OperationalError, errors

CODES = ("53100", "53200", "58030", "40P01", "40001", "25006", "54000")  # of what a server refuses
_WORDS = {"25006": "cannot execute INSERT in a read-only transaction", "53100": "could not extend file"}


def drawn(code: str) -> Any:
    """An error of a server, by its code."""
    error = errors.lookup(code)(_WORDS.get(code, f"refused, code {code}"))
    error.drawn = code != "25006"  # a server that is written to again later is as good as away
    return error


def lost(code: str) -> Any:
    """The error of a connection that is gone; the server said why if there is a code."""
    if code:
        return errors.lookup(code)("terminating connection due to administrator command")
    return OperationalError("consuming input failed: server closed the connection unexpectedly")


def unreachable(why: str) -> Any:
    """The error of a connection that could not be opened."""
    return OperationalError(f'connection failed: connection to server at "sim" failed: {why}')


def is_drawn(error: BaseException) -> bool:
    """Whether an error is a refusal, which is no outage that passes."""
    return getattr(error, "drawn", False)
