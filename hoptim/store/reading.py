"""Progress of reading a journal, for a command that shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Show = Callable[[int, int], object]

_show: ContextVar[Show | None] = ContextVar("show", default=None)


def show_with(show: Show | None) -> None:
    """Let a function show how far a journal is read, in this context.

    Args:
        show: Function of the bytes that are read and the bytes in all; None for no one.
    """
    _show.set(show)


def note(read: int, size: int) -> None:
    """Note how many bytes of a journal are read, of how many."""
    if (show := _show.get()) is not None:
        show(read, size)
