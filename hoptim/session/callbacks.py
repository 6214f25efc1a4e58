"""What happens in this process, told to the user's callbacks as it happens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from hoptim.errors import ArgumentError

log = logging.getLogger("hoptim")

EVENTS = ("asked", "told", "exploited", "failed", "done")


def check_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Callbacks as a tuple; raises `ArgumentError` for an object that could never be called."""
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, (str, bytes)):
        raise ArgumentError(f"callbacks must be a list of objects, found {callbacks!r}.")
    for callback in callbacks:
        if not any(callable(getattr(callback, event, None)) for event in EVENTS):
            raise ArgumentError(
                f"A callback must have at least one of the methods {', '.join(EVENTS)}, found {callback!r}."
            )
    return tuple(callbacks)


def announce(callbacks: Sequence[Any], event: str, *what: Any) -> None:
    """Call each callback that has a method for an event.

    One that raises is logged and no more: what happened has happened, and the run goes on.
    """
    for callback in callbacks:
        method = getattr(callback, event, None)
        if method is not None:
            try:
                method(*what)
            except Exception:
                log.exception("The callback %r raised in %s; the study goes on.", callback, event)
