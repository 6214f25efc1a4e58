"""Ctrl-C and SIGTERM that arrive within a store operation wait for its end; none is left half done."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any


class _Here(threading.local):
    """What the store is doing in this thread; signals are handled in the main thread alone."""

    depth = 0
    waiting: list[int]
    wrapped: dict[int, Any]  # handlers that were set after ours, for the time of an operation

    def __init__(self) -> None:
        self.waiting, self.wrapped = [], {}


_here = _Here()
_theirs: dict[int, Any] = {}  # the handlers that were there before ours


class signals_deferred:
    """Puts signals off until the end of the block."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _here.depth
        if not self._before:
            _wrap()
        _here.depth = self._before + 1

    def __exit__(self, *_: object) -> None:
        _here.depth = self._before
        if not self._before:
            try:
                if _here.waiting:
                    _deliver()
            finally:
                if _here.wrapped:
                    _unwrap()


class signals_allowed:
    """Lets signals act at once again, for a part of a `signals_deferred` block that may take long."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _here.depth
        _here.depth = 0
        try:
            if _here.waiting:
                _deliver()
        except BaseException:
            _here.depth = self._before
            raise

    def __exit__(self, *_: object) -> None:
        _here.depth = self._before


def defer(number: int) -> None:
    """Defer a signal from now on to the end of store operations; then its own handler decides.

    SIGTERM without a handler then ends the process by `SystemExit(143)`, so that the training loop
    unwinds and its trial is handed on.
    """
    if number in _theirs or threading.current_thread() is not threading.main_thread():
        return  # once: a later handler of the user's may itself call ours
    found = signal.getsignal(number)
    if found is not None:  # None: set by C code, leave it alone
        _theirs[number] = found
        signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _here.depth:
        _here.waiting.append(number)
    else:
        _act(number, frame)


def _deliver() -> None:
    while _here.waiting:
        _act(_here.waiting.pop(0), None)


def _wrap() -> None:
    """Let a handler that was set after ours wait as well; `_unwrap` puts it back, for it is the user's."""
    for number in _theirs:
        found = signal.getsignal(number)
        if found is _on_signal or found is None or found == signal.SIG_IGN:
            continue
        if threading.current_thread() is threading.main_thread():
            _here.wrapped[number] = found
            signal.signal(number, _on_signal)


def _unwrap() -> None:
    while _here.wrapped:
        number, handler = next(iter(_here.wrapped.items()))
        if signal.getsignal(number) is _on_signal:
            signal.signal(number, handler)
        _here.wrapped.pop(number, None)  # last, for a signal in these lines must find it


def _act(number: int, frame: FrameType | None) -> None:
    handler = _here.wrapped.pop(number, None)  # taken out: it may itself call ours, as the one it found
    if handler is not None:
        signal.signal(number, handler)
    else:
        handler = _theirs[number]
    if callable(handler):
        handler(number, frame)
    elif handler == signal.SIG_DFL:
        raise SystemExit(128 + number)


def _after_fork() -> None:
    """Forget, in a forked child, what was sent to its parent."""
    _here.waiting.clear()


os.register_at_fork(after_in_child=_after_fork)
