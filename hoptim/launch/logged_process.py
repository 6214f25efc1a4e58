"""Command in a process of its own, with its output in a log."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hoptim._files import create, explained, open_regular
from hoptim._text import printable
from hoptim.errors import ArgumentError
from hoptim.launch.failure import ending, failed

_TAIL = 4096  # bytes of a log in which its last line is looked for
_HEADER = "== "


class LoggedProcess:
    """Process that leads a session of its own, so that it outlives its parent.

    Args:
        command: Program and arguments; no shell reads it.
        variables: Environment variables to set besides those of this process.
        log: Log file in a folder of the study's directory; output is appended behind a line with time,
            title and command. It is open to nobody who may not read that directory.
        title: Words for that line.

    Raises:
        ArgumentError: The command cannot be started.
        StoreError: The log cannot be written, or is a link.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], log: Path, title: str) -> None:
        self._log, words = log, shlex.join(command)
        with explained("write", log):
            output = _append_to(log)
        try:
            now = time.strftime("%Y-%m-%d %H:%M:%S %z")
            os.write(output, f"{_HEADER}{now}, {title}: {words}\n".encode())
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env={**os.environ, **variables},
            )  # fmt: skip
        except OSError as error:
            raise ArgumentError(
                f"The command {words!r} cannot be started: {error.strerror or error}."
            ) from error
        finally:
            os.close(output)

    @property
    def status(self) -> int | None:
        """Return the exit status, negative for the signal that killed it; None until `done` saw the end."""
        return self._process.returncode

    def done(self) -> bool:
        """Tell whether the process has ended."""
        return self._process.poll() is not None

    def result(self) -> None:
        """Wait for the end.

        Raises:
            WorkersFailed: Its exit status is not 0.
        """
        status = self._process.wait()
        if status:
            message = f"The command {ending(status)}. Its log ends with: {_last_line(self._log)}"
            raise failed(status, message)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _append_to(path: Path) -> int:
    """Open a log at its end, for nobody who may not read the study; raise if a link is in its place."""
    flags = os.O_WRONLY | os.O_APPEND
    try:
        log = create(path, flags)
    except FileExistsError:
        log = open_regular(path, flags)
    mode, study = os.fstat(log).st_mode, os.stat(path.parent.parent).st_mode
    if mode & ~study & 0o066:
        with suppress(PermissionError):  # another user's log, whose mode is theirs to choose
            os.fchmod(log, stat.S_IMODE(mode) & (study | 0o700))
    return log


def _last_line(path: Path) -> str:
    """Return the last line of a log that holds a word, safe to print."""
    with suppress(OSError), open(open_regular(path, os.O_RDONLY), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        if lines and not lines[-1].startswith(_HEADER):
            return printable(lines[-1])
    return "(nothing)"
