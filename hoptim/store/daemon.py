"""Threads of the store's own, which end with the process."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from typing import Any

from hoptim.errors import StoreError


def start_daemon(name: str, body: Callable[..., None], arguments: Sequence[Any] = ()) -> None:
    """Start a thread that does not keep the process from ending.

    Args:
        name: Name of the thread, for debuggers.
        body: Function that it runs.
        arguments: Arguments of the function. Default: none.

    Raises:
        StoreError: The system has no thread to give.
    """
    try:
        threading.Thread(target=body, args=tuple(arguments), daemon=True, name=name).start()
    except RuntimeError as error:
        message = (
            f"No thread {name!r} could be started ({error}), so the call that needs it did nothing. "
            "Nothing acknowledged is lost; end other processes, or raise their limit (ulimit -u), and run "
            "the same call again."
        )
        raise StoreError(errno.EAGAIN, message) from error
