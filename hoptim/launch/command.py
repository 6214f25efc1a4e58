"""`hoptim run`: a command, several times on this machine, until each has ended well or is given up."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hoptim._arguments import check_whole
from hoptim._files import explained, make_folder
from hoptim.errors import ArgumentError
from hoptim.launch.script import Script
from hoptim.launch.summary import Summary

log = logging.getLogger("hoptim")

_LOOK_EVERY = 0.05  # seconds
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_command(folder: Path, command: Sequence[str], workers: int, restarts: int = 3) -> Summary:
    """Start a command several times and keep it running.

    One that ends with status 0 has finished. One that ends otherwise is started again, after 1 s,
    2 s, 4 s and so on up to a minute. SIGINT, SIGTERM and SIGHUP are passed on, and nothing is started
    any more; a second Ctrl-C kills. Should this process be killed, its workers go on: each is a
    session of its own and writes its log itself.

    Args:
        folder: The study's directory, which need not be there yet. Each worker finds it in
            `HOPTIM_STUDY`, its own number in `HOPTIM_WORKER`, and its output in
            `logs/worker-<number>.log` of the directory.
        command: Program and arguments; no shell reads it.
        workers: How many.
        restarts: How often in a row each is started again; the count begins anew for one that ran
            for ten minutes.

    Returns:
        What became of each, and of the study; its `status` is the exit status to end with.

    Raises:
        ArgumentError: The command cannot be started, or another argument that cannot work.
        StoreError: The logs cannot be written.
    """
    check_whole("workers", workers, 1)
    check_whole("restarts", restarts, 0)
    if not command:
        raise ArgumentError("There is no command to run: write it behind `--`.")
    folder = Path(os.path.realpath(folder))  # the user's own link is as good as its target
    logs = folder / "logs"
    with explained("make", logs):
        make_folder(logs, parents=True)
    herd = [Script(number, folder, command, restarts) for number in range(workers)]
    stopped = _keep_running(herd)
    return Summary(folder, tuple(worker.report() for worker in herd), stopped)


def _keep_running(herd: Sequence[Script]) -> int | None:
    """Look after workers until none is left; the signal that stopped them, None without."""
    stopped: int | None = None
    with _signals() as came:
        try:
            while any(worker.runs or worker.waits for worker in herd):
                for worker in herd:
                    worker.look()
                while came:
                    number = came.pop(0)
                    again = stopped is not None and number == signal.SIGINT
                    _pass_on(herd, signal.SIGKILL if again else number)
                    if stopped is None:
                        stopped = number
                        log.warning(
                            "Passed %s on to %d workers and waiting; a second Ctrl-C kills them.",
                            signal.Signals(number).name, sum(worker.runs for worker in herd),
                        )  # fmt: skip
                time.sleep(_LOOK_EVERY)
        except BaseException:
            _pass_on(herd, signal.SIGTERM)
            raise
    return stopped


def _pass_on(herd: Sequence[Script], number: int) -> None:
    for worker in herd:
        worker.stop(number)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Signals as they come, instead of what they do; one that is ignored, as by nohup, stays so."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other one is given signals
        before = {n: signal.getsignal(n) for n in _PASSED_ON if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
