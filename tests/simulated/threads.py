"""Stand-ins for `threading`: threads that are greenlets of one process, and what they wait for."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from threading import get_ident
from types import SimpleNamespace
from typing import Any

from tests.simulated.world import World


class Mutex:
    """A lock, re-entrant or not."""

    def __init__(self, world: World, reentrant: bool) -> None:
        self._world, self._reentrant = world, reentrant
        self._owner: object = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As of `threading.Lock`."""
        world = self._world
        me = world.current or world
        until = world.now + timeout if timeout >= 0 else math.inf
        while self._owner is not None and not (self._reentrant and self._owner is me):
            if not blocking or world.now >= until:
                return False
            world.wait(until, self)
        self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        """As of `threading.Lock`."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._world.wake(self)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """A flag to wait for."""

    def __init__(self, world: World) -> None:
        self._world, self._flag = world, False

    def is_set(self) -> bool:
        """As of `threading.Event`."""
        return self._flag

    def set(self) -> None:
        """As of `threading.Event`."""
        self._flag = True
        self._world.wake(self)

    def clear(self) -> None:
        """As of `threading.Event`."""
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """As of `threading.Event`."""
        world = self._world
        until = math.inf if timeout is None else world.now + timeout / world.process.machine.rate
        world.call("wait", "", lambda: None)
        while not self._flag and world.now < until:
            world.wait(until, self)
        return self._flag


class Thread:
    """A thread of the process that makes it."""

    def __init__(self, world: World, target: Callable[..., object], args: tuple[Any, ...] = ()) -> None:
        self._world, self._body = world, lambda: target(*args)

    def start(self) -> None:
        """As of `threading.Thread`."""
        self._world.thread(self._body)


def only_here(simulated: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls one function in this thread, and another in all others."""
    me = get_ident()

    def call(*args: Any, **more: Any) -> Any:
        return simulated(*args, **more) if get_ident() == me else real(*args, **more)

    return call


def threads(world: World) -> SimpleNamespace:
    """What stands where a module says `threading`."""
    simulated: dict[str, Callable[..., Any]] = {
        "Lock": lambda: Mutex(world, False),
        "RLock": lambda: Mutex(world, True),
        "Event": lambda: Event(world),
        "Thread": lambda target, daemon, name, args=(): Thread(world, target, args),
        "get_ident": lambda: world.current.ident if world.current else 0,
    }
    return SimpleNamespace(
        **{name: only_here(call, getattr(threading, name)) for name, call in simulated.items()},
        local=threading.local,
        current_thread=threading.current_thread,
        main_thread=threading.main_thread,
    )
