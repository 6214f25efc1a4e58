"""Liveness of other processes, judged by their heartbeat files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._files import explained, is_folder, read_front
from hoptim._text import printable
from hoptim.store.heartbeat import BEATS_PER_LEASE
from hoptim.store.layout import WORKERS
from hoptim.store.process_identity import ProcessIdentity

_LONGEST = 4096  # bytes of a heartbeat file
_LONGEST_LEASE = 1e7  # seconds; a file that says more is no heartbeat


class Watch:
    """Looks at heartbeat files, and judges which of their writers are dead.

    On the same host a death is proven at once. Elsewhere a process counts as dead after looks over a
    whole lease, on the looker's own clock and never more than a beat apart, so seven at least, that
    all saw the same time stamp.

    Args:
        folder: Directory of the study.
        lease: Seconds without a beat after which a process counts as dead; at least 120 over NFS, whose
            attribute caches may be 60 s old.
        kind: Folder of the files in the study's directory. Default: "workers".
    """

    def __init__(self, folder: Path, lease: float, kind: str = WORKERS) -> None:
        self._folder = folder / kind
        self._lease = lease
        self._seen: dict[str, tuple[object, float, float]] = {}  # time stamp, first and last look

    def is_dead(self, name: str) -> bool:
        """Look once at a file; return whether its writer is dead, as far as all looks tell."""
        sign, lease, dead = self._look(name)
        if dead:
            return True
        now = time.monotonic()
        old, first, last = self._seen.get(name, (None, now, now))
        if old != sign or now - last > lease / BEATS_PER_LEASE:
            first = now  # a beat could have come and gone unseen between distant looks
        self._seen[name] = (sign, first, now)
        return now - first >= lease

    def sign(self, name: str) -> tuple[float | None, float, bool]:
        """Return, for display, seconds since the last beat, the lease, and whether a death is proven."""
        _, lease, dead = self._look(name)
        try:
            return max(0.0, time.time() - (self._folder / name).lstat().st_mtime), lease, dead
        except OSError:
            return None, lease, dead

    def beat(self, name: str) -> bool:
        """Beat for a guest; return whether its file is still there."""
        with explained("write", self._folder / name):
            try:
                os.utime(self._folder / name, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def dismiss(self, name: str) -> None:
        """Remove a guest's file, whose one claim has ended; a worker that beats by itself keeps its own."""
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            if json.loads(read_front(self._folder / name, _LONGEST)).get("guest") is True:
                self.remove_dead(name)

    def remove_dead(self, name: str) -> None:
        """Remove a dead process's file, once nothing is claimed in its name."""
        self._seen.pop(name, None)
        with suppress(OSError):
            if is_folder(self._folder):
                (self._folder / name).unlink()

    def names(self) -> list[str]:
        """Return the names of all files; empty where the folder cannot be read."""
        try:
            return os.listdir(self._folder) if is_folder(self._folder) else []
        except OSError:
            return []

    def remove_idle(self, busy: Collection[str | None]) -> None:
        """Remove the files of processes that are proven dead and hold nothing; only under the lock.

        Args:
            busy: Names of those that hold something.
        """
        for name in self.names():
            if name not in busy and self.is_proven_dead(name):
                self.remove_dead(name)

    def is_proven_dead(self, name: str) -> bool:
        """Return whether a file's writer is proven dead before its lease is over; only under the lock."""
        return self._look(name)[2] or self._is_torn(name)

    def _is_torn(self, name: str) -> bool:
        """Return whether a file was never whole: it is written under the lock, so its writer is dead."""
        try:
            json.loads(read_front(self._folder / name, _LONGEST))
        except (ValueError, RecursionError):
            return True
        except OSError:
            pass
        return False

    def _look(self, name: str) -> tuple[object, float, bool]:
        """Return the time stamp, the longer of its lease and ours, and whether a death is proven."""
        path = self._folder / name
        try:
            found = json.loads(read_front(path, _LONGEST))
            lease = max(self._lease, _seconds(found.pop("lease")))
            found.pop("guest", None)
            status = path.lstat()
            return (status.st_ino, status.st_mtime_ns), lease, ProcessIdentity(**found).is_dead()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return "no sign", self._lease, False


def display_name(worker: str) -> str:
    """Return a worker's name for display: process and host."""
    host, pid, _ = [*worker.rsplit(".", 2), "?", "?"][:3]
    return printable(f"process {pid} on {host}")


def _seconds(value: Any) -> float:
    if not 0 < value < _LONGEST_LEASE:
        raise ValueError(f"{value!r} is no lease")
    return float(value)
