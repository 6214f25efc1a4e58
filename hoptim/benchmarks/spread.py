"""The same work for many tasks, spread over processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

Progress = Callable[[int, int], None]  # how many are done, of how many
Task = TypeVar("Task")
Result = TypeVar("Result")


def spread(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, progress: Progress | None = None
) -> list[Result]:
    """The result of each task, in the order of the tasks.

    Args:
        work: A function of a module, so that other processes find it.
        tasks: What it is called with; each can be pickled.
        workers: Processes; 1 works in this one.
        progress: Called after each task.
    """
    if workers == 1:
        return _collect(map(work, tasks), len(tasks), progress)
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn"))
    try:
        with _interrupts_held():
            results = pool.map(work, tasks)
        return _collect(results, len(tasks), progress)
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(results: Iterable[Result], count: int, progress: Progress | None) -> list[Result]:
    done = []
    for result in results:
        done.append(result)
        if progress is not None:
            progress(len(done), count)
    return done


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: their parent alone answers it, without tracebacks."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
