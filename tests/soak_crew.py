"""A launcher, `hoptim run`, and its workers, to kill and stop, in a pid namespace of their own."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.builders import ROOT

_PATIENCE = 60.0  # seconds in which those end who are asked to
_TICK = 0.02


class Crew:
    """`hoptim run` and its workers, all processes of this pid namespace but its first.

    Attributes:
        starts: How often the launcher was started.
        stopped: Until when each stopped worker sleeps, by pid.
        status: Exit status of the launcher, negative for a signal; None while it runs.
    """

    def __init__(self, command: list[str]) -> None:
        self._command, self._launcher, self.starts = command, 0, 0
        self.stopped: dict[int, float] = {}
        self.status: int | None = None

    def start(self) -> None:
        """Start the launcher."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        self._launcher = os.posix_spawn(sys.executable, self._command, environment, file_actions=quiet)
        self.status = None
        self.starts += 1

    def workers(self) -> list[int]:
        """Those that live."""
        found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return sorted(pid for pid in found if pid not in (os.getpid(), self._launcher) and _lives(pid))

    def look(self) -> None:
        """Wake those whose time has come, and take note of those that ended."""
        for pid in [pid for pid, until in self.stopped.items() if time.monotonic() >= until]:
            del self.stopped[pid]
            _send(pid, signal.SIGCONT)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._launcher:
                self.status = os.waitstatus_to_exitcode(status)

    def kill(self, pid: int) -> None:
        """Kill a worker; whoever started it reaps it."""
        self.stopped.pop(pid, None)
        _send(pid, signal.SIGKILL)

    def stop(self, pid: int, seconds: float) -> None:
        """Stop a worker until `look` wakes it."""
        _send(pid, signal.SIGSTOP)
        self.stopped[pid] = time.monotonic() + seconds

    def kill_launcher(self) -> None:
        """Kill the launcher and wait until it is gone; its workers go on."""
        os.kill(self._launcher, signal.SIGKILL)
        while self.status is None:
            self.look()
            time.sleep(_TICK)

    def end(self, asked: bool) -> bool:
        """Wait until nobody is left; whether all ended by themselves.

        Args:
            asked: Whether to ask the launcher and those workers that are not its own to stop.
        """
        for pid in self.stopped:
            self.stopped[pid] = 0.0
        self.look()
        if asked:
            for pid in [*self.workers(), *([self._launcher] if self.status is None else [])]:
                _send(pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while (left := self.workers() or self.status is None) and time.monotonic() < end:
            self.look()
            time.sleep(_TICK)
        for pid in self.workers():
            _send(pid, signal.SIGKILL)
        if self.status is None:
            self.kill_launcher()
        self.look()
        return not left


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def _send(pid: int, number: int) -> bool:
    """Send a signal; whether there was somebody."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
