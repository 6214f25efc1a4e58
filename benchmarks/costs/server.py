"""A server that forks processes which run a loop at the same time, and says what its operations cost.

    python -m costs.server by_hoptim.tell_and_ask

A loop is a generator whose every `next` is one whole operation, and the first one only prepares; it is
given a folder that the processes share. The server imports its module once, reads a task a line, and
answers each with a run a line.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Self

from costs.together import run_together

Operations = Iterator[None]


@dataclass(frozen=True)
class Task:
    """What the processes do.

    Attributes:
        processes: Processes that start at the same time. Default: 1.
        seconds: Seconds after which no process begins another operation. Default: 1 hour.
        operations: Operations after which a process ends. Default: 10^9.
        think: Seconds of computation after each operation. Default: 0.
        trial: Mean seconds of sleep after each operation, drawn between half and one and a half times as
            many; processes then begin within one trial's time. Default: 0.
    """

    processes: int = 1
    seconds: float = 3600.0
    operations: int = 10**9
    think: float = 0.0
    trial: float = 0.0


@dataclass(frozen=True)
class Run:
    """What the operations of all processes cost.

    Attributes:
        rate: Operations a second, all processes together.
        cpu: Processor seconds of an operation, without thinking.
        share: Share of the processes' time that operations took.
        p50: Seconds that half of the operations took at most.
        p99: Seconds that 99 % of them took at most.
        longest: Seconds that the longest took.
    """

    rate: float
    cpu: float
    share: float
    p50: float
    p99: float
    longest: float

    def mean(self, other: Self) -> Self:
        """Return the mean of two runs."""
        names = [each.name for each in fields(self)]
        return type(self)(*((getattr(self, name) + getattr(other, name)) / 2 for name in names))


@dataclass(frozen=True)
class _Process:
    """What one process did: its seconds in all, its processor seconds, and those of each operation."""

    elapsed: float
    cpu: float
    waits: array[float]


def measure(loop: Callable[[Path], Operations], folder: Path, task: Task) -> Run:
    """Fork processes, start them all at once, and return what their operations cost."""
    outs = [folder / f"rank {rank}" for rank in range(task.processes)]
    run_together([partial(_operate, loop(folder), task, out) for out in outs])
    return _together([_read(out) for out in outs])


def _operate(operations: Operations, task: Task, out: Path, wait_for_all: Callable[[], None]) -> None:
    next(operations)
    next(operations)  # the first operation makes files
    wait_for_all()
    done = _work(operations, task)
    with out.open("wb") as file:
        array("d", [done.elapsed, done.cpu, *done.waits]).tofile(file)


def _work(operations: Operations, task: Task) -> _Process:
    rng = random.Random(os.getpid())
    time.sleep(task.trial * rng.random())
    waits, thought = array("d"), 0.0
    cpu, start = time.process_time(), time.perf_counter()
    began = start
    while began < start + task.seconds and len(waits) < task.operations:
        next(operations)
        waits.append(time.perf_counter() - began)
        if task.think:
            thought += _think(task.think)
        if task.trial:
            time.sleep(task.trial * rng.uniform(0.5, 1.5))
        began = time.perf_counter()
    return _Process(began - start, time.process_time() - cpu - thought, waits)


def _think(seconds: float) -> float:
    """Compute for as many seconds of this thread's processor time, and return how many it took."""
    began = now = time.thread_time()
    while now < began + seconds:
        now = time.thread_time()
    return now - began


def _read(file: Path) -> _Process:
    elapsed, cpu, *waits = array("d", file.read_bytes())
    return _Process(elapsed, cpu, array("d", waits))


def _together(processes: list[_Process]) -> Run:
    waits = sorted(wait for process in processes for wait in process.waits)
    return Run(
        rate=sum(len(process.waits) / process.elapsed for process in processes),
        cpu=sum(process.cpu for process in processes) / len(waits),
        share=sum(waits) / sum(process.elapsed for process in processes),
        p50=waits[len(waits) // 2],
        p99=waits[len(waits) * 99 // 100],
        longest=waits[-1],
    )


def main() -> None:
    """Answer tasks until the input ends."""
    module, name = sys.argv[1].split(".")
    loop = getattr(import_module(f"costs.{module}"), name)
    gc.collect()
    gc.freeze()  # else all processes would look through what is imported, in the same round
    for line in sys.stdin:
        asked = json.loads(line)
        made = partial(loop, **asked["arguments"])
        run = measure(made, Path(asked["folder"]), Task(**asked["task"]))
        print(json.dumps(asdict(run)), flush=True)


if __name__ == "__main__":
    main()
