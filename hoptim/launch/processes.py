"""Workers in processes of this machine, one for each call.

`concurrent.futures.ProcessPoolExecutor` would not do: when one of its processes is killed, all its
calls fail and it takes no more. Here a killed process is one failed call.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from hoptim.errors import ArgumentError, WorkersFailed
from hoptim.launch.failure import ending, failed
from hoptim.launch.importable import require_importable

_STOP_WITHIN = 30.0  # seconds that workers have to hand back their trials before they are killed
_LONGEST = 16384  # characters of a traceback; fewer bytes than a pipe holds before it is read
_BEGAN = b""


class Process:
    """One call in a process of its own, with the methods of a future.

    Args:
        call: Function to call; it and its arguments must pickle.
        args: Arguments of the call.

    Raises:
        ArgumentError: The call does not pickle, or is defined where no other process can import it, or this
            is a worker that still imports its script.
    """

    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        require_importable(call, args)
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit threads, locks and a GPU
        self._messages, sender = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_call, args=(sender, call, args))
        try:
            with _without_interrupts():
                self._process.start()
        except OSError:
            raise
        except Exception as error:
            if "bootstrapping" in str(error):  # this is a worker itself, so far only imported
                raise ArgumentError(
                    "hoptim.run was called while a worker imported the script that launches it. Keep "
                    "the call under `if __name__ == '__main__':`."
                ) from None
            raise ArgumentError(
                f"{call} cannot be sent to another process: {error}. Define the function at the top "
                "level of a module, and give it nothing that cannot be pickled."
            ) from error
        finally:
            sender.close()

    def done(self) -> bool:
        """Tell whether the process has ended."""
        return self._process.exitcode is not None

    def result(self) -> None:
        """Wait for the end.

        Raises:
            WorkersFailed: The process was killed, or the call raised an error, whose traceback is the
                message.
        """
        self._process.join()
        status = self._process.exitcode
        if not status:
            return
        messages = list(_received(self._messages))
        why = f"Worker process {self._process.pid} {ending(status)}"
        if not messages:
            raise WorkersFailed(
                f"{why} before it began to train. Each worker imports the script that launches it: "
                "keep the launch under `if __name__ == '__main__':`, and the function in a file."
            )
        raise failed(status, messages[-1].decode(errors="replace").strip() or f"{why}.")

    def stop(self, number: int) -> None:
        """Send a signal if the process still runs."""
        if not self.done() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end, at most for a number of seconds."""
        self._process.join(seconds)


class Processes:
    """Executor that starts a process for each call.

    If an exception leaves its `with` block, as after Ctrl-C, the processes are stopped by SIGTERM, so
    that they hand back their trials; those that do not end within 30 s, or at a second Ctrl-C, are
    killed. At the normal end of the block it waits for them. Processes whose parent was killed stop by
    themselves.
    """

    def __init__(self) -> None:
        self._live: list[Process] = []

    def submit(self, call: Callable[..., Any], *args: Any) -> Process:
        """Start a process that calls `call(*args)`."""
        self._live = [process for process in self._live if not process.done()]
        self._live.append(Process(call, args))
        return self._live[-1]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                for process in self._live:
                    process.wait()
        finally:  # whatever interrupts the waiting, no process is left behind
            self._stop()

    def _stop(self) -> None:
        end = time.monotonic() + _STOP_WITHIN
        try:
            for process in self._live:
                process.stop(signal.SIGTERM)
            for process in self._live:
                process.wait(max(0.0, end - time.monotonic()))
        finally:
            for process in self._live:
                process.stop(signal.SIGKILL)
                process.wait()


def _call(sender: Connection, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Make the call, in the new process; Ctrl-C is left to the parent, which stops its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True, name="hoptim-parent").start()
    sender.send_bytes(_BEGAN)
    try:
        call(*args)
    except Exception:
        sender.send_bytes(traceback.format_exc()[-_LONGEST:].encode(errors="replace"))
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    """Wait for the end of the parent, then end this process as SIGTERM would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _received(messages: Connection) -> Iterator[bytes]:
    """Yield the messages of a process that has ended."""
    try:
        while messages.poll():
            yield messages.recv_bytes()
    except EOFError:
        return


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT for the time of the block; processes that are started within inherit that."""
    resource_tracker.ensure_running()  # else the start of the first process does it, and unblocks
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
