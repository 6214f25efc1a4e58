"""`hoptim run`: a command started several times on this machine and kept running."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Unpack

from hoptim._arguments import whole_of
from hoptim._files import explained, make_folder
from hoptim._paths import study_folder
from hoptim.errors import ArgumentError
from hoptim.launch.logged_process import LoggedProcess
from hoptim.launch.records import Records
from hoptim.launch.summary import LaunchSummary, WorkerSummary
from hoptim.launch.supervisor import Slot, Supervisor
from hoptim.options import START, OptionKeywords, Options
from hoptim.study import load

log = logging.getLogger("hoptim")

_LOOK_EVERY = 0.05  # seconds
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_command(
    folder: Path,
    command: Sequence[str],
    workers: int,
    restarts: int = 3,
    **options: Unpack[OptionKeywords],
) -> LaunchSummary:
    """Start a command several times and keep it running.

    A worker that ends with status 0 has finished. One that ends otherwise is started again, after 1 s, 2
    s, 4 s and so on up to a minute. So is one that cannot be started for lack of memory, processes or disk
    space; that counts as a restart only while no other worker runs. SIGINT, SIGTERM and SIGHUP are passed
    on, and nothing is started any more; a second Ctrl-C kills. If this process is killed its workers go
    on: each is a session of its own and writes its log itself, which begins with the command and its
    arguments.

    Args:
        folder: Directory of the study, which need not exist yet. Each worker finds it in
            `HOPTIM_STUDY`, its own number in `HOPTIM_WORKER`, and its output in
            `logs/worker-<number>.log` of the directory.
        command: Program and arguments; no shell reads it.
        workers: Number of workers.
        restarts: Restarts in a row after which a worker is given up; the count begins anew for one that
            ran for ten minutes, or whose trial the study records as failed or as its death. Default: 3.
        **options: Options with which deaths of workers are recorded, such as `max_deaths`, and `progress`,
            which shows one line for all workers; see `Options`.

    Returns:
        The end of each worker; its `status` is the exit status to end with.

    Raises:
        ArgumentError: The command cannot be started, or another argument cannot work.
        StoreError: The logs cannot be written.
    """
    whole_of("workers", workers, 1)
    whole_of("restarts", restarts, 0)
    Options.of(options)  # bad ones are refused before anything is started
    if not command:
        raise ArgumentError("There is no command to run: write it behind `--`.")
    folder = study_folder(folder)
    _make_logs(folder)

    def start(slot: Slot[LoggedProcess]) -> LoggedProcess:
        variables = {"HOPTIM_STUDY": str(folder), "HOPTIM_WORKER": str(slot.number), START: slot.start}
        title = f"start {slot.starts} of worker {slot.number}"
        return LoggedProcess(command, variables, _log(folder, slot.number), title)

    records = Records(partial(load, folder, **options))
    supervisor = Supervisor(start, workers, restarts, records=records)
    try:
        stopped = _supervise(supervisor, records)
    finally:
        records.end_progress()
    return LaunchSummary(folder, tuple(_summary(slot, folder) for slot in supervisor.slots), stopped)


def _summary(slot: Slot[LoggedProcess], folder: Path) -> WorkerSummary:
    status = None if slot.run is None else slot.run.status
    return WorkerSummary(slot.number, slot.starts, status, _log(folder, slot.number))


def _make_logs(folder: Path) -> None:
    """Make the folder of the logs, and the study's directory for it."""
    with explained("make", folder / "logs"):
        make_folder(Path(os.path.realpath(folder)), parents=True)  # links above it are the user's own
        make_folder(folder / "logs")


def _log(folder: Path, number: int) -> Path:
    return folder / "logs" / f"worker-{number}.log"


def _supervise(supervisor: Supervisor[LoggedProcess], records: Records) -> int | None:
    """Run until no worker is left; return the signal that stopped them, None without."""
    stopped: int | None = None
    with _caught_signals() as caught:
        try:
            while supervisor.look():
                while caught:
                    number = caught.pop(0)
                    again = stopped is not None and number == signal.SIGINT
                    _pass_on(supervisor, signal.SIGKILL if again else number)
                    if stopped is None:
                        stopped = number
                        log.warning(
                            "Passed %s on to %d workers and waiting; a second Ctrl-C kills them.",
                            signal.Signals(number).name, len(supervisor.running()),
                        )  # fmt: skip
                records.show_progress()
                time.sleep(_LOOK_EVERY)
        except BaseException:
            _pass_on(supervisor, signal.SIGTERM)
            raise
    return stopped


def _pass_on(supervisor: Supervisor[LoggedProcess], number: int) -> None:
    supervisor.close()
    for process in supervisor.running():
        process.send_signal(number)


@contextmanager
def _caught_signals() -> Iterator[list[int]]:
    """Yield a list to which signals are added instead; one that is ignored, as by nohup, stays ignored."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other thread receives signals
        before = {n: signal.getsignal(n) for n in _PASSED_ON if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
