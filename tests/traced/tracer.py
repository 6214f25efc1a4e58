"""Runs a function in a forked child under ptrace and makes one of its file calls die, fail or fall short.

Only for Linux on x86-64. The child shares the warm interpreter, so a run takes milliseconds; only calls
on the watched folders count, so the n-th call is the same in each run.
"""

from __future__ import annotations

import errno
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from tests.traced import ptrace

_COMMANDS = -77  # no descriptor at all: a write to it speaks to the tracer, by its number of bytes
_ARM, _PAUSE, _CURE = range(3)


class Call(NamedTuple):
    """One call that counted.

    Attributes:
        name: Without what tells its variants apart, such as `at` or `64`.
        path: What it works on; of two paths the last.
        creates: Whether it is an open that may create or write.
        size: Its number of bytes; 0 where it has none.
    """

    name: str
    path: str
    creates: bool
    size: int


class Fault(NamedTuple):
    """What happens at the call with the number `at`.

    Attributes:
        at: Counted from 0.
        kind: `before` and `after` kill there; `tear` does a number of bytes and then kills; `shorten`
            does so and goes on; `fail` returns an error instead of the call; `stick` does, and for all
            later calls of that name until `cure`; `late` does the call and then returns an error.
        argument: The number of bytes, or of the error.
    """

    at: int
    kind: str
    argument: int = 0


def arm() -> None:
    """In the child: calls count from here on."""
    _speak(_ARM)


def pause() -> None:
    """In the child: calls neither count nor fail until `arm`."""
    _speak(_PAUSE)


def cure() -> None:
    """In the child: what fails until cured is cured."""
    _speak(_CURE)


def why_not() -> str | None:
    """Why nothing can be traced here; None when it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or sys.maxsize < 2**32:
        return "The tracer is written for Linux on x86-64."

    def probe() -> int:
        arm()
        os.stat("/proc/self/stat")
        return 0

    try:
        ended, calls = run(probe, ["/proc/self"])
    except OSError as error:
        return f"Nothing can be traced here: {error}."
    return None if (ended, len(calls)) == ("exit 0", 1) else f"The tracer saw {calls}, then {ended}."


def run(
    child: Callable[[], int], watched: Sequence[str], fault: Fault | None = None
) -> tuple[str, list[Call]]:
    """Run a function to its end.

    Args:
        child: Returns its exit status; calls `arm` where it wants to be watched.
        watched: Folders; only calls on what is beneath them, or on them, count.
        fault: What to do to one call.

    Returns:
        How it ended, as `exit N`, `killed` by the fault, or `signal N`; and the calls that counted
        until the fault was over.
    """
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        status = 70
        try:
            ptrace.let_trace(parent)
            status = child()
        finally:
            os._exit(status)
    if not os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
        raise PermissionError(errno.EPERM, "the child could not let itself be traced")
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        tracer = _Tracer(pid, memory, tuple(watched), fault)
        return tracer.follow(), tracer.calls
    finally:
        os.close(memory)


class _Tracer:
    """Follows one child and its threads from stop to stop."""

    def __init__(self, pid: int, memory: int, watched: tuple[str, ...], fault: Fault | None) -> None:
        self.pid, self.memory, self.watched, self.fault = pid, memory, watched, fault
        self.calls: list[Call] = []
        self.armed = self.killed = False
        self.over = False  # whether the fault is done with, so that nothing more need be looked at
        self.sick = ""  # name of the calls that fail until cured
        self.inside: dict[int, Fault | None] = {}  # threads within a call, and what befalls it

    def follow(self) -> str:
        """How the child ended."""
        ptrace.begin(self.pid)
        ptrace.go(self.pid, 0, look=True)
        while True:
            thread, status = os.waitpid(-1, ptrace.WALL)
            if os.WIFSTOPPED(status):
                self._stopped(thread, os.WSTOPSIG(status))
            elif thread == self.pid:
                if os.WIFEXITED(status):
                    return f"exit {os.WEXITSTATUS(status)}"
                return "killed" if self.killed else f"signal {os.WTERMSIG(status)}"
            else:
                self.inside.pop(thread, None)  # its number may be another thread's from now on

    def _stopped(self, thread: int, why: int) -> None:
        if why == ptrace.MARKED:
            with suppress(ProcessLookupError):  # killed in the meantime
                if thread in self.inside:
                    self._leaves(thread, self.inside.pop(thread))
                else:
                    self.inside[thread] = self._enters(thread, ptrace.registers(thread))
        ours = why in (ptrace.MARKED, signal.SIGTRAP, signal.SIGSTOP)  # made by tracing
        ptrace.go(thread, 0 if ours else why, look=not self.over)

    def _enters(self, thread: int, values: list[int]) -> Fault | None:
        """Count a call, and begin what befalls it."""
        number = values[ptrace.NUMBER]
        if number == 1 and values[ptrace.ARGUMENTS[0]] & 0xFFFFFFFF == _COMMANDS & 0xFFFFFFFF:
            self._obey(values[ptrace.THIRD])
        if not self.armed or number not in ptrace.CALLS:
            return None
        path = ptrace.path(thread, self.memory, number, values)
        if not path.startswith(self.watched):
            return None
        name = ptrace.CALLS[number][0]
        flags = values[ptrace.ARGUMENTS[ptrace.FLAGS[number]]] if number in ptrace.FLAGS else 0
        creates = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        self.calls.append(
            Call(name, path, creates, values[ptrace.THIRD] if number in ptrace.COUNTED else 0)
        )
        fault = self.fault
        if fault is not None and len(self.calls) - 1 == fault.at:
            self.sick = name if fault.kind == "stick" else ""
        elif name != self.sick or fault is None:
            return None
        self._strike(thread, values, name, fault)
        return fault

    def _strike(self, thread: int, values: list[int], name: str, fault: Fault) -> None:
        if fault.kind == "before":
            self._kill()
        elif fault.kind in ("tear", "shorten") and values[ptrace.NUMBER] in ptrace.COUNTED:
            values[ptrace.THIRD] = fault.argument
            ptrace.set_registers(thread, values)
        elif fault.kind in ("fail", "stick") and name != "close":  # a close that fails has closed
            values[ptrace.NUMBER] = 2**64 - 1  # no such call: nothing is done
            ptrace.set_registers(thread, values)

    def _leaves(self, thread: int, fault: Fault | None) -> None:
        """End what befalls a call."""
        if fault is None:
            return
        if fault.kind in ("after", "tear"):
            self._kill()
        elif fault.kind in ("fail", "stick", "late"):
            values = ptrace.registers(thread)
            values[ptrace.RESULT] = 2**64 - fault.argument
            ptrace.set_registers(thread, values)
        self.over = not self.sick

    def _obey(self, command: int) -> None:
        if command == _CURE:
            self.over, self.sick = bool(self.sick), ""
        else:
            self.armed = command == _ARM

    def _kill(self) -> None:
        self.killed = True
        os.kill(self.pid, signal.SIGKILL)


def _speak(command: int) -> None:
    with suppress(OSError):  # there is no such descriptor
        os.write(_COMMANDS, bytes(command))
