"""What happens when a process leaves politely: on exit and on SIGTERM its trials are released."""

from __future__ import annotations

import atexit
import os
import signal
import weakref
from contextlib import suppress
from typing import Protocol

from hoptim import signals


class Leaver(Protocol):
    """Something that holds trials."""

    def leave(self) -> None:
        """Release what is held and show no more sign of life."""


_leavers: weakref.WeakSet[Leaver] = weakref.WeakSet()


def watch_over(leaver: Leaver) -> None:
    """Let something leave when this process exits or is asked to stop."""
    _leavers.add(leaver)
    signals.defer(signal.SIGTERM)


def _leave_all() -> None:
    for leaver in list(_leavers):
        with suppress(Exception):  # the lease, or the next worker here, takes back what is left
            leaver.leave()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_leavers.clear)  # a child holds nothing of its parent's
