"""For tests: a process in a node, which reports what it does and can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.builders import wait_until

PATIENCE = 60.0  # seconds until something must have happened


class Process:
    """A Python process that reports in lines of JSON, in a node or where this process is.

    Args:
        words: Arguments of the interpreter.
        environment: All that is in its environment.
        inside: Words that make a command run in a node. Default: none, to run it here.

    Attributes:
        reports: What it has reported, in order.
        log: What it wrote to its standard error.
    """

    def __init__(
        self, words: list[str], environment: Mapping[str, str], inside: Sequence[str] = ()
    ) -> None:
        self.reports, self.log = list[dict[str, Any]](), ""
        self._inside = bool(inside)
        self.running = subprocess.Popen(
            [*inside, sys.executable, *words], env=dict(environment), cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._read, args=(self.running.stdout, self._take), daemon=True),
            threading.Thread(target=self._read, args=(self.running.stderr, self._note), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def at(self, what: str) -> list[dict[str, Any]]:
        """Return its reports of one kind so far."""
        return [report for report in self.reports if report["at"] == what]

    def wait_for(self, what: str, count: int = 1, seconds: float = PATIENCE) -> dict[str, Any]:
        """Return the report of a kind that makes them so many; fail with its log when there is none."""
        try:
            wait_until(lambda: len(self.at(what)) >= count or self.running.poll() is not None, seconds)
            return self.at(what)[count - 1]
        except (AssertionError, IndexError):
            raise AssertionError(f"no {what!r} but {self.reports[-5:]}\n{self.log}") from None

    def send(self, word: str) -> None:
        """Send a line to it."""
        assert self.running.stdin is not None
        self.running.stdin.write(f"{word}\n")
        self.running.stdin.flush()

    def kill(self) -> None:
        """Kill it with SIGKILL, if it still runs."""
        if self.running.poll() is None:
            for pid in children(self.running.pid) if self._inside else [self.running.pid]:
                os.kill(pid, signal.SIGKILL)
        self.running.wait(PATIENCE)

    def finish(self, seconds: float = PATIENCE) -> None:
        """Wait until it ends, which must be well."""
        try:
            self.running.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end: {self.reports[-5:]}\n{self.log}") from None
        assert self.running.returncode == 0, self.log
        for reader in self._readers:
            reader.join(PATIENCE)

    def close(self) -> None:
        """Kill it, if it still runs, and close the pipes."""
        self.kill()
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.running.stdin, self.running.stdout, self.running.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, lines: IO[str], take: Callable[[str], None]) -> None:
        for line in lines:
            take(line)

    def _take(self, line: str) -> None:
        """Take a report, which Ray puts behind words of its own; what is none belongs to the log."""
        try:
            self.reports.append(json.loads(line[line.index("{") :]))
        except ValueError:
            self._note(line)

    def _note(self, line: str) -> None:
        self.log += line


def children(pid: int) -> list[int]:
    """Return the children of a process with one thread."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
