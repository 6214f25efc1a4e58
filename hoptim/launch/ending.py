"""How a process ended, in words."""

from __future__ import annotations

import signal


def ending(status: int) -> str:
    """What an exit status says, negative for a signal, to be read behind 'It'."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-status}"
