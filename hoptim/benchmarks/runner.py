"""The runs of a benchmark, spread over processes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

Progress = Callable[[int, int], None]  # runs finished, runs in all
Key = TypeVar("Key")
Result = TypeVar("Result")


def run_tasks(
    tasks: Mapping[Key, Callable[[], Result]], workers: int = 1, progress: Progress | None = None
) -> dict[Key, Result]:
    """Call every task and return the results by the tasks' keys, in their order.

    Args:
        tasks: Functions without arguments, such as `functools.partial` of a module's function; they and
            their results must pickle if there are several workers.
        workers: Processes. Default: 1, which runs the tasks in this process.
        progress: Function called after each task. Default: None.

    Raises:
        Exception: The first error that a task raised; tasks that have not begun are cancelled.
    """
    if workers == 1:
        return _collect(tasks, map(_call, tasks.values()), progress)
    from concurrent.futures import ProcessPoolExecutor  # slow to import
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn"))
    try:
        with _interrupts_blocked():
            results = pool.map(_call, tasks.values())
        return _collect(tasks, results, progress)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def progress_line() -> Iterator[Progress | None]:
    """Yield a function that shows the number of finished runs on a terminal; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(done: int, count: int) -> None:
        print(f"\r{done} of {count} runs", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(f"\r{'':40}\r", end="", file=sys.stderr, flush=True)


def _call(task: Callable[[], Result]) -> Result:
    return task()


def _collect(
    keys: Mapping[Key, object], results: Iterable[Result], progress: Progress | None
) -> dict[Key, Result]:
    done = {}
    for key, result in zip(keys, results, strict=True):
        done[key] = result
        if progress is not None:
            progress(len(done), len(keys))
    return done


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes with SIGINT blocked: the parent alone handles Ctrl-C, without their tracebacks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
