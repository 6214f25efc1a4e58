"""Processes that start their work at the same time."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence

Work = Callable[[Callable[[], None]], None]


def run_together(works: Sequence[Work]) -> float:
    """Fork a process for each of some works, and wait for their ends.

    Args:
        works: Functions that are each given another one, to be called once when they are prepared: it
            returns to all of them at once.

    Returns:
        The moment of that, seconds since 1970.

    Raises:
        SystemExit: A process failed.
    """
    ready, go = os.pipe(), os.pipe()
    children = []
    for work in works:
        children.append(os.fork())
        if children[-1] == 0:
            _child(work, ready[1], go)
    os.close(go[0])
    os.close(ready[1])
    prepared = sum(iter(lambda: len(os.read(ready[0], len(works))), 0))
    began = time.time()
    os.close(go[1])
    failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
    os.close(ready[0])
    if failed or prepared != len(works):
        raise SystemExit(f"{len(failed)} of {len(works)} processes failed.")
    return began


def _child(work: Work, ready: int, go: tuple[int, int]) -> None:
    def wait_for_all() -> None:
        os.write(ready, b"x")
        os.close(ready)
        os.read(go[0], 1)  # ends when the parent closes its side: for all at once

    status = 1
    try:
        os.close(go[1])
        work(wait_for_all)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # what the parent has open is not this process's to close
