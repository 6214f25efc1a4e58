"""What happens when a process leaves politely: on exit and on SIGTERM its trials are released."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import weakref
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol


class Leaver(Protocol):
    """Something that holds trials."""

    def leave(self) -> None:
        """Release what is held and show no more sign of life."""


_leavers: weakref.WeakSet[Leaver] = weakref.WeakSet()
_busy = threading.local()
_asked_to_stop = False
_their_handler: Any = None
_installed_by = 0  # pid


def watch_over(leaver: Leaver) -> None:
    """Let something leave when this process exits or is asked to stop.

    SIGTERM then ends the process by `SystemExit(143)`, so that the training loop unwinds and its
    trial is handed on; a handler of the user's own is called instead, and decides.
    """
    _leavers.add(leaver)
    _install()


class undisturbed:
    """Puts SIGTERM off until the end of the block, so that no store operation is left half done."""

    __slots__ = ()

    def __enter__(self) -> None:
        _busy.depth = getattr(_busy, "depth", 0) + 1

    def __exit__(self, kind: object, *_: object) -> None:
        _busy.depth -= 1
        if _asked_to_stop and not _busy.depth and kind is None:
            _stop()


def _install() -> None:
    global _their_handler, _installed_by
    if _installed_by == os.getpid() or threading.current_thread() is not threading.main_thread():
        return
    _installed_by = os.getpid()
    found = signal.getsignal(signal.SIGTERM)
    if found is not _on_sigterm and found is not None:  # None: set by C code, leave it alone
        _their_handler = found
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    global _asked_to_stop
    if callable(_their_handler):
        _their_handler(number, frame)
    elif _their_handler == signal.SIG_DFL:
        _asked_to_stop = True
        if not getattr(_busy, "depth", 0):
            _stop()


def _stop() -> None:
    global _asked_to_stop
    _asked_to_stop = False
    raise SystemExit(128 + signal.SIGTERM)


def _leave_all() -> None:
    for leaver in list(_leavers):
        with suppress(Exception):  # the lease, or the next worker here, takes back what is left
            leaver.leave()


def _after_fork() -> None:
    """A child holds nothing of its parent's."""
    global _asked_to_stop
    _leavers.clear()
    _asked_to_stop = False


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_after_fork)
