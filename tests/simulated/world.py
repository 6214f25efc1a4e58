"""What all calls of all processes go through, drawn from one seed.

A call may let others run first, its caller may be stopped or killed, the power may be cut, a signal may
come, and the call may fail.
"""

from __future__ import annotations

import errno
import random
import signal
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

from tests.simulated.faults import REFUSALS, Faults, Injected
from tests.simulated.machine import Machine, Process
from tests.simulated.scheduler import Killed, Scheduler

LEASE = 2.0  # seconds
TICK = 1e-4  # seconds that a call takes
GROWING = {"pwrite", "write", "create", "mkdir", "link"}  # what a full disk refuses
NEVER_FAIL = {"sleep", "wait"}


class World(Scheduler):
    """One schedule.

    Args:
        seed: All that happens follows from it.
        mutant: What is broken in the simulated system; see `tests/simulation.py`.
        trace: Whether to keep a line for each call.

    Attributes:
        nfs: Whether the machines are clients that remember a server's files.
        links: Whether there are hard links.
        cached: Seconds that what a client remembers may be old.
    """

    def __init__(self, seed: int, mutant: str | None = None, trace: bool = False) -> None:
        rng = random.Random(seed)
        self.nfs = mutant == "stale" or rng.random() < 0.35
        count = 2 if self.nfs else rng.choice((1, 1, 2, 3))
        super().__init__(rng, [Machine(f"m{i}", rng) for i in range(count)])
        self.mutant = mutant
        self.trace: list[str] | None = [] if trace else None
        self.faults = Faults(rng)
        self.links = rng.random() < 0.9
        self.cached = rng.uniform(0.05, LEASE / 2)
        self.failing: dict[str, Callable[..., object]] = {}  # by call: what a failing one still does
        self.signal: Callable[[int], object] = lambda number: None  # handles one in the main thread
        self._full_until = 0
        self._burst, self._next_switch = rng.choice((1, 4, 10, 40)), 1

    def call(self, op: str, path: str, action: Callable[..., Any], *args: Any) -> Any:
        """Let the process that runs make a call."""
        if self.current is None:
            return action(*args)
        process = self.process
        if process.dead:
            raise Killed
        self.calls += 1
        self.now += TICK
        if self.calls >= self._next_switch:
            self._next_switch = self.calls + 1 + int(self.rng.random() * self._burst)
            self.switch()
        if kind := self.faults.meets(op, path):
            self._strike(kind)
        if self.trace is not None:
            self._note(op, path, args)
        if process.refused and op not in NEVER_FAIL:
            kind, process.refused = process.refused, ""
            return self._refuse(kind, op, action, args)
        if self.calls < self._full_until and op in GROWING:
            self._raise(self.rng.choice((errno.ENOSPC, errno.EDQUOT)))
        if process.signal and self.current is process.main:
            return self._interrupt(process, action, args)
        return action(*args)

    def _strike(self, kind: str) -> None:
        rng, process = self.rng, self.process
        if self.trace is not None:
            self.trace.append(f"-- {kind} ({process.name})")
        if kind == "power":
            self.cut_power()
        elif kind == "kill":
            self.die()
        elif kind == "full":
            self._full_until = self.calls + rng.randrange(5, 100)
        elif kind in ("pause", "stop"):
            low, high = (0, 0.2) if kind == "pause" else (0.5, 2.5)
            process.stopped = self.now + LEASE * rng.uniform(low, high)
            self.switch()
        elif kind == "signal":
            process.signal = rng.choice((signal.SIGINT, signal.SIGTERM))
        else:
            process.refused = kind

    def _refuse(self, kind: str, op: str, action: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Fail, perhaps after the call has had its effect; or write less than was asked for."""
        if op in ("pwrite", "write"):
            target, data, *more = args
            part = data[: self.rng.randrange(len(data) + 1)]
            if kind == "short":
                return action(target, part or data, *more)
            action(target, part, *more)
        elif kind == "short":
            return action(*args)
        elif op in self.failing:
            self.failing[op](*args)
        elif op == "close" or self.rng.random() < 0.5:
            action(*args)
        return self._raise(self.rng.choice(REFUSALS))

    def _interrupt(self, process: Process, action: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Handle a signal before a call or after it, when its result may never be seen."""
        number, process.signal = process.signal, 0
        if self.rng.random() < 0.5:
            self.signal(number)
            return action(*args)
        result = action(*args)
        self.signal(number)
        return result

    def _raise(self, number: int) -> NoReturn:
        if self.trace is not None:
            self.trace.append(f"   refused: {errno.errorcode[number]}")
        raise Injected(number)

    def _note(self, op: str, path: str, args: tuple[Any, ...]) -> None:
        assert self.trace is not None
        more = [f"{len(a)} bytes {zlib.crc32(a):08x}" if isinstance(a, bytes) else a for a in args]
        shown = [str(a) for a in more if isinstance(a, int) or (isinstance(a, str) and a != path)]
        self.trace.append(f"{self.calls} {self.now:.4f} {self.process.name} {op} {path} {' '.join(shown)}")
