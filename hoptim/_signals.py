"""Ctrl-C and SIGTERM that arrive within a store operation wait for its end; none is left half done.

In a forked child signals act as if hoptim were absent, but for its own store operations, until it asks
for trials itself.
"""

from __future__ import annotations

import os
import signal
import threading
from _signal import getsignal  # type: ignore[import-not-found]  # the one of `signal`, which seeks its name
from types import FrameType
from typing import Any


class _Here(threading.local):
    """What the store is doing in this thread; signals are handled in the main thread alone."""

    depth = 0
    mask: set[int] | None = None  # of this thread while it forks
    waiting: list[int]
    wrapped: dict[int, Any]  # handlers that were set after ours, for the time of an operation

    def __init__(self) -> None:
        self.waiting, self.wrapped = [], {}


STOPS = (signal.SIGTERM, signal.SIGHUP)  # what asks a process to stop, besides Ctrl-C

_here = _Here()
_theirs: dict[int, Any] = {}  # the handlers that were there before ours
_unwinding: set[int] = set()  # signals that end this process by `SystemExit`


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
    unwinds and its trial is handed on. An ignored signal stays ignored, also in programs that are started.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _unwinding.add(number)
    found = _here.wrapped.get(number, getsignal(number))
    if found is None or (number in _theirs and found != _theirs[number]):
        return  # set by C code, or ours, or a later one of the user's, which may itself call ours
    _theirs[number] = found
    if found != signal.SIG_IGN:
        signal.signal(number, _on_signal)
        _here.wrapped.pop(number, None)


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
        found = getsignal(number)
        if found is _on_signal or found is None or found == signal.SIG_IGN:
            continue
        if threading.current_thread() is threading.main_thread():
            _here.wrapped[number] = found
            signal.signal(number, _on_signal)


def _unwrap() -> None:
    while _here.wrapped:
        number, handler = next(iter(_here.wrapped.items()))
        if getsignal(number) is _on_signal:
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
        if number in _unwinding:
            raise SystemExit(128 + number)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


# Python forgets what a forked child is sent before its handlers can run, where the default would kill it:
# a pool that is closed right after it was made would wait for ever. So that is blocked until the child has
# the default again. Other handlers are Python's as much as ours, and lose what Python loses.


def _before_fork() -> None:
    killing = [number for number, handler in _theirs.items() if handler == signal.SIG_DFL]
    _here.mask = signal.pthread_sigmask(signal.SIG_BLOCK, killing) if killing else None


def _after_fork() -> None:
    if _here.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _here.mask)


def _after_fork_in_child() -> None:
    _here.depth = 0
    _here.waiting.clear()
    _unwinding.clear()
    _unwrap()
    for number, handler in _theirs.items():
        if getsignal(number) is _on_signal:
            signal.signal(number, handler)
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
