"""Release of a process's trials when it exits, or is asked to by SIGTERM or SIGHUP."""

from __future__ import annotations

import atexit
import os
import weakref
from contextlib import suppress
from typing import Protocol

from hoptim import _signals


class Holder(Protocol):
    """Something that holds trials."""

    def leave(self) -> None:
        """Release what is held, and stop the heartbeat."""


_holders: weakref.WeakSet[Holder] = weakref.WeakSet()


def release_at_exit(holder: Holder) -> None:
    """Call `leave` of a holder when this process exits or is asked to stop."""
    _holders.add(holder)
    for number in _signals.STOPS:
        _signals.defer(number)


def _release_all() -> None:
    for holder in list(_holders):
        with suppress(Exception):  # the lease, or the next worker here, takes back what is left
            holder.leave()


atexit.register(_release_all)
os.register_at_fork(after_in_child=_holders.clear)  # a child holds nothing of its parent's
