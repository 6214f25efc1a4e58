"""A worker of `hoptim run`: a command in a process of its own, its log, and how often it was started."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hoptim._files import create, explained, open_regular
from hoptim.errors import ArgumentError
from hoptim.launch.ending import ending
from hoptim.launch.restarts import Restarts
from hoptim.launch.summary import LaunchSummary

log = logging.getLogger("hoptim")

_TAIL = 4096  # bytes of a log in which its last line is looked for
_HEADER = "== "


class Script:
    """One worker.

    Args:
        number: From 0.
        folder: The study's directory.
        command: Program and arguments.
        restarts: How often in a row it is started again.
    """

    def __init__(self, number: int, folder: Path, command: Sequence[str], restarts: int) -> None:
        self.number, self.log = number, folder / "logs" / f"worker-{number}.log"
        self._command, self._folder, self._restarts = command, folder, Restarts(restarts)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts, self._since = 0, 0.0
        self._status: int | None = None
        self._stopped = False
        self._due: float | None = 0.0  # when to start next; None: never again

    @property
    def runs(self) -> bool:
        """Whether there is a process, at the last look."""
        return self._process is not None

    @property
    def waits(self) -> bool:
        """Whether it is to be started at some time."""
        return self._due is not None

    def look(self) -> None:
        """Take note of its end; start it when that is due."""
        if self._process is not None:
            status = self._process.poll()
            if status is not None:
                self._process, self._status = None, status
                self._ended(status)
        elif self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._start()

    def stop(self, number: int) -> None:
        """Send a signal to all of its processes, and start none any more."""
        self._stopped, self._due = True, None
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def report(self) -> LaunchSummary:
        """What became of it."""
        return LaunchSummary(self.number, self._starts, self._status, self.log)

    def _start(self) -> None:
        self._starts += 1
        self._since = time.monotonic()
        with explained("write", self.log):
            output = _append_to(self.log)
        try:
            now, words = time.strftime("%Y-%m-%d %H:%M:%S %z"), shlex.join(self._command)
            os.write(
                output, f"{_HEADER}{now}, start {self._starts} of worker {self.number}: {words}\n".encode()
            )
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env={**os.environ, **self._environment()},
            )  # fmt: skip
        except OSError as error:
            raise ArgumentError(
                f"The command {words!r} cannot be started: {error.strerror or error}."
            ) from error
        finally:
            os.close(output)

    def _environment(self) -> Mapping[str, str]:
        return {"HOPTIM_STUDY": str(self._folder), "HOPTIM_WORKER": str(self.number)}

    def _ended(self, status: int) -> None:
        if status == 0 or self._stopped:
            return
        now = time.monotonic()
        wait = self._restarts.delay(now - self._since)
        if wait is None:
            then = "is given up"
        else:
            self._due, then = now + wait, f"starts again in {wait:g} s"
        log.warning(
            "Worker %d %s and %s. Its log ends with: %s",
            self.number, ending(status), then, _last_line(self.log),
        )  # fmt: skip


def _append_to(path: Path) -> int:
    """Open a log at its end; a link in its place is an error."""
    flags = os.O_WRONLY | os.O_APPEND
    try:
        return create(path, flags)
    except FileExistsError:
        return open_regular(path, flags)


def _last_line(path: Path) -> str:
    """The last words of a log, safe to print."""
    with suppress(OSError), open(open_regular(path, os.O_RDONLY), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        if lines and not lines[-1].startswith(_HEADER):
            return "".join(c if c.isprintable() else "?" for c in lines[-1])
    return "(nothing)"
