"""Virtual time that each call takes from its caller alone, so that processes work side by side."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.simulated.filesystem import File
from tests.simulated.machine import Machine, Process
from tests.simulated.scheduler import Killed, Scheduler, Task

_LOCAL_WRITES = {"pwrite", "write", "ftruncate"}  # of an NFS client: they stay in its memory until flushed
_FLUSHING = {"fsync", "flock", "close"}  # of an NFS client: what it wrote to the file is on the disk after


class Storage(NamedTuple):
    """Latencies of a file system, in seconds on average.

    Attributes:
        name: Name for tables.
        call: Latency of a call; over NFS a round trip to the server.
        commit: Latency of a write that must reach the disk.
        handover: Time from the release of a lock until the process that waits for it runs.
        remote: True for NFS: writes stay on the client until a sync, an unlock or a close flushes them.
    """

    name: str
    call: float
    commit: float
    handover: float
    remote: bool


LOCAL = Storage("local disk", 3e-6, 150e-6, 90e-6, False)  # measured on ext4
NFS = Storage("NFS", 250e-6, 1.6e-3, 250e-6, True)  # published for a managed file server


class TimedWorld(Scheduler):
    """Processes in virtual time, without faults.

    Args:
        seed: Seed of all draws.
        storage: Latencies of calls, each drawn as half fixed, half exponential.
        machines: Number of hosts.
        clock: Seconds of CPU so far; what passes on it between two calls of a process takes as long in
            virtual time.

    Attributes:
        counts: Number of calls by name and last folder of the path.
    """

    nfs = False  # what a client caches is not simulated: only how long calls take
    links = True
    mutant = None
    cached = 0.0

    def __init__(self, seed: int, storage: Storage, machines: int, clock: Callable[[], float]) -> None:
        rng = random.Random(seed)
        super().__init__(rng, [Machine(f"m{i}", rng) for i in range(machines)])
        self.storage, self.clock = storage, clock
        self.failing: dict[str, Callable[..., object]] = {}
        self.signal: Callable[[int], object] = lambda number: None
        self.counts: Counter[str] = Counter()
        self._dirty: set[tuple[Process, str]] = set()
        self._turns: list[tuple[float, int, Task]] = []
        self._turn = 0
        self._waiting: defaultdict[object, deque[Task]] = defaultdict(deque)
        self._resumed = 0.0

    def spawn(self, body: Callable[[Process], object], after: float = 0.0) -> None:
        """Start a process on any machine."""
        super().spawn(body, after)
        self._schedule(self.tasks[-1], self.now + after)

    def thread(self, body: Callable[[], object]) -> None:
        """Start another thread of the process that runs."""
        super().thread(body)
        self._schedule(self.tasks[-1], self.now)

    def call(self, op: str, path: str, action: Callable[..., Any], *args: Any) -> Any:
        """Let the process that runs make a call, once its time has passed."""
        if self.current is None:
            return action(*args)
        if self.process.dead:
            raise Killed
        self.calls += 1
        self.counts[op] += 1
        self._pass(self.clock() - self._resumed + self._latency(op, path))
        try:
            return action(*args)
        finally:
            self._resumed = self.clock()

    def _latency(self, op: str, path: str) -> float:
        storage, file = self.storage, (self.process, path)
        if op in ("sleep", "wait"):
            return 0.0
        mean = storage.call
        if storage.remote and op in _LOCAL_WRITES:
            self._dirty.add(file)
            return 0.0
        if op == "fsync" or (op in _FLUSHING and file in self._dirty):
            mean += storage.commit
            self._dirty.discard(file)
        return mean * (0.5 + 0.5 * self.rng.expovariate(1))

    def _pass(self, seconds: float) -> None:
        until = self.now + seconds
        if self._turns and self._turns[0][0] < until:
            self.wait(until)
        else:
            self.now = until

    def wait(self, until: float, thing: object = None) -> None:
        """Do nothing until a time, or until `wake` is called for a thing."""
        task = self.current
        assert task is not None
        if task.process.dead:
            raise Killed
        if thing is not None:
            task.awaits = thing
            self._waiting[thing].append(task)
        self._schedule(task, until)
        self.switch()
        task.awaits = None

    def _turn_to(self, task: Task | None) -> None:
        super()._turn_to(task)
        self._resumed = self.clock()

    def wake(self, thing: object) -> None:
        """End the waiting for a thing: of the first if it is a file's lock, else of all."""
        queue = self._waiting.get(thing, ())
        while queue:
            task = queue.popleft()
            if task.awaits is thing and task.greenlet:
                delay = self.storage.handover if isinstance(thing, File) else 0.0
                task.awaits = None
                self._schedule(task, self.now + delay)
                if isinstance(thing, File):
                    return

    def switch(self) -> None:
        """Let whoever is next run."""
        self._let_run(self._choose())

    def stop(self) -> None:
        """Kill all processes, the one that runs too."""
        self._ended += dict.fromkeys(task.process for task in self.tasks)
        self._hub.switch()

    def _schedule(self, task: Task, at: float) -> None:
        self._turn += 1
        task.wake, task.turn = at, self._turn
        if at < math.inf:
            heapq.heappush(self._turns, (at, self._turn, task))

    def _choose(self) -> Task:
        while True:
            at, turn, task = heapq.heappop(self._turns)
            if task.turn == turn and not task.process.dead and not task.greenlet.dead:
                self.now = max(self.now, at)
                return task
