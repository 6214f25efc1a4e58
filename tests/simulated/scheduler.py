"""Processes as greenlets on a clock that never waits: who is there, and whose turn it is."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from contextlib import suppress

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped] # it has no stubs

from tests.simulated.filesystem import FileSystem
from tests.simulated.machine import Machine, Process

ROOT = "/sim"
LONGEST = 60_000  # calls of a schedule; beyond, somebody waits for ever


class Killed(BaseException):
    """Ends the greenlets of a dead process."""


class Stuck(BaseException):
    """Nobody can go on, or nobody comes to an end."""


class Task:
    """A thread."""

    def __init__(self, process: Process, body: Callable[[], object], now: float, hub: greenlet) -> None:
        self.process, self.wake = process, now
        self.awaits: object = None
        self.turn = 0  # number of its latest place in a schedule of times
        process.threads += 1
        self.ident = process.serial, process.threads
        self.greenlet = greenlet(lambda: self._run(body), hub)

    @staticmethod
    def _run(body: Callable[[], object]) -> None:
        with suppress(Killed):
            body()


class Scheduler:
    """Runs the threads of all processes by turns, until nobody is left.

    Args:
        rng: Draws whose turn it is.
        machines: Where processes run.

    Attributes:
        now: Seconds, by no machine's clock.
        calls: How many calls there were.
        process: Whose turn it is; who looks from outside while it is nobody's.
    """

    longest = LONGEST

    def __init__(self, rng: random.Random, machines: list[Machine]) -> None:
        self.rng, self.machines = rng, machines
        self.fs = FileSystem(ROOT, rng)
        self.now, self.calls = 0.0, 0
        self.tasks: list[Task] = []
        self.current: Task | None = None
        self._observer = Process(machines[0], 0, 0, 0)
        self._observer.exiting = True
        self.process = self._observer
        self.unhandled: Callable[[Exception], object] = lambda error: None  # told of what ends a thread
        self._hub = getcurrent()
        self._begins: Task | None = None
        self._ended: list[Process] = []
        self._power_cut = False
        self._serial = 0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._planned = 0

    # -- who is there

    def spawn(self, body: Callable[[Process], object], after: float = 0.0) -> None:
        """A new process on any machine."""
        self._serial += 1
        machine, space = self.rng.choice(self.machines), self.rng.choice((0, 0, 1))
        process = machine.start_process(space, self._serial)

        def main() -> None:
            body(process)
            self._ended.append(process)

        process.main = Task(process, main, self.now + after, self._hub)
        self.tasks.append(process.main)

    def thread(self, body: Callable[[], object]) -> None:
        """Another thread of the process that runs."""

        def guarded() -> None:
            try:
                body()
            except Exception as error:
                self.unhandled(error)

        self.tasks.append(Task(self.process, guarded, self.now, self._hub))

    def run(self, ended: Callable[[bool], object]) -> None:
        """Go on until nobody is left.

        Args:
            ended: Called for each process that is gone, and, with True, once after a power cut.
        """
        while self.tasks:
            task, self._begins = self._begins or self._choose(), None
            self._turn_to(task)
            task.greenlet.switch()
            self._turn_to(None)
            self.tasks = [task for task in self.tasks if not task.greenlet.dead]
            gone, self._ended = self._ended, []
            for process in gone:
                self._bury(process)
            if self._power_cut:
                self._cut_power()
                ended(True)
            else:
                for _ in gone:
                    ended(False)

    def end(self) -> None:
        """Kill whoever is left."""
        for process in dict.fromkeys(task.process for task in self.tasks):
            self._bury(process)

    def _cut_power(self) -> None:
        self._power_cut = False
        self.end()
        self.fs.power_cut()
        for machine in self.machines:
            machine.boot(self.rng)

    def _bury(self, process: Process) -> None:
        """Nothing that a dead process would still do is done."""
        process.dead = process.exiting = True
        process.zombie = self.rng.random() < 0.3
        for task in [task for task in self.tasks if task.process is process]:
            self._turn_to(task)
            with suppress(Killed):  # it comes back from what has not begun
                task.greenlet.throw(Killed)
            self._turn_to(None)
        self.tasks = [task for task in self.tasks if task.process is not process]
        for descriptor in process.descriptors.values():
            descriptor.release()
            self.wake(descriptor.file)

    # -- whose turn it is

    def switch(self) -> None:
        """Let somebody run, perhaps the one who runs already."""
        if self.calls > self.longest:
            raise Stuck(f"still not done after {self.longest} calls")
        self._let_run(self._choose())

    def _let_run(self, task: Task) -> None:
        """Give the turn to a task."""
        if task is self.current:
            return
        self._turn_to(task)
        if task.greenlet:
            task.greenlet.switch()
        else:  # begun by the hub: a greenlet inherits its starter's depth of recursion
            self._begins = task
            self._hub.switch()

    def wait(self, until: float, thing: object = None) -> None:
        """Do nothing until a time, or until `wake` is called for a thing."""
        task = self.current
        assert task is not None
        if task.process.dead:
            raise Killed
        task.wake, task.awaits = until, thing
        self.switch()
        task.awaits = None

    def wake(self, thing: object) -> None:
        """End the waiting for a thing."""
        for task in self.tasks:
            if task.awaits is thing:
                task.wake, task.awaits = self.now, None

    def at(self, moment: float, action: Callable[[], object]) -> None:
        """Let something happen that is no process's doing, not before a moment."""
        self._planned += 1
        heapq.heappush(self._events, (moment, self._planned, action))

    def _turn_to(self, task: Task | None) -> None:
        self.current = task
        self.process = self._observer if task is None else task.process

    def _choose(self) -> Task:
        while True:
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            now = self.now
            ready = [task for task in self.tasks if task.wake <= now and task.process.stopped <= now]
            if ready:
                return ready[int(self.rng.random() * len(ready))]
            moments = [max(task.wake, task.process.stopped) for task in self.tasks]
            self.now = max(now, min(moments + [moment for moment, *_ in self._events[:1]]))
            if self.now == math.inf:
                raise Stuck("everybody waits for somebody else")

    def die(self) -> None:
        """End the process that runs, as SIGKILL does."""
        self._ended.append(self.process)
        self._hub.switch()

    def cut_power(self) -> None:
        """End all processes on all machines, and forget what was not on the disk."""
        self._power_cut = True
        self._hub.switch()
