"""What the driver raises, in hoptim's own words."""

from __future__ import annotations

import errno
import logging
import re
import time

from hoptim.errors import HoptimError, StoreError, StudyDamaged
from hoptim.store.postgres.driver import psycopg

log = logging.getLogger("hoptim")

_LOG_EVERY = 10.0  # seconds between two warnings about a server that is away
_AWAY = re.compile("08...|57P0[123]|25006|53300")  # codes of a server that stops, begins, or is full
_COMING = re.compile(
    "starting up|shutting down|not yet accepting|recovery|too many|connection slots|standby|read-only|"
    "refused|timeout|timed out|terminating connection"
)
_REFUSED = re.compile("FATAL|no password supplied|authentication|certificate|does not support SSL")
_GONE = {"42P01", "23502", "23503"}  # no such table, or no such study in it
_ERRNOS = {
    "53100": errno.ENOSPC, "53200": errno.ENOMEM, "53300": errno.EAGAIN, "42501": errno.EACCES,
    "25006": errno.EROFS, "57P01": errno.ECONNRESET, "57P02": errno.ECONNRESET, "57P03": errno.ECONNREFUSED,
}  # fmt: skip


def is_away(error: BaseException) -> bool:
    """Return whether an error says that the server cannot be reached now, or not be written to."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return _AWAY.fullmatch(error.sqlstate) is not None
    return isinstance(error, psycopg.OperationalError) and not _is_refusal(error)


def explained(error: psycopg.Error, doing: str, name: str) -> HoptimError:
    """Return a driver's error as one of hoptim's.

    Args:
        error: The error.
        doing: Action that failed, to be read between 'Could not' and the address.
        name: Address of the study, without secrets.
    """
    if error.sqlstate in _GONE:
        return StudyDamaged(
            f"The study {name!r} is gone, or the tables that it was in. "
            "Restore the database from a backup, or use another study."
        )
    message = (
        f"Could not {doing} {name!r}: {_text(error)}. Nothing that was acknowledged is lost; cure the "
        "cause and run the same call again."
    )
    return StoreError(_errno(error), message)


def log_away(error: psycopg.Error, name: str, end: float, logged: float) -> float:
    """Log now and then that a server is away; return when it was last logged.

    Args:
        error: The last error.
        name: Address of the study, without secrets.
        end: Moment until which it is tried, on the monotonic clock.
        logged: Moment of the last warning, 0 for none.
    """
    now = time.monotonic()
    if logged and now - logged < _LOG_EVERY:
        return logged
    log.warning("%s cannot be reached (%s); trying for another %.0f s.", name, _text(error), end - now)
    return now


def _is_refusal(error: psycopg.Error) -> bool:
    """Return whether a server is there and will not have this user, by the words of the driver."""
    text = str(error)
    return _REFUSED.search(text) is not None and _COMING.search(text) is None


def _errno(error: psycopg.Error) -> int:
    if error.sqlstate is not None:
        return _ERRNOS.get(error.sqlstate, errno.EIO)
    if _is_refusal(error):
        return errno.ENOENT if "does not exist" in str(error) else errno.EACCES
    return errno.ECONNREFUSED if "connection to server" in str(error) else errno.ECONNRESET


def _text(error: psycopg.Error) -> str:
    """Return an error on one line, without the statement that it is about."""
    lines = [line for line in str(error).splitlines() if not line.startswith("\t")]  # those are guesses
    text = error.diag.message_primary or " ".join(lines)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
