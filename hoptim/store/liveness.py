"""Liveness of other processes, judged by their heartbeat files."""

from __future__ import annotations

import json
import logging
import math
import os
import time
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hoptim._files import explained, is_folder, read_front
from hoptim._text import printable
from hoptim.store.heartbeat import BEATS_PER_LEASE
from hoptim.store.layout import WORKERS
from hoptim.store.locking.holder import own_name
from hoptim.store.process_identity import ProcessIdentity
from hoptim.store.tree import opened

log = logging.getLogger("hoptim")

_LONGEST = 4096  # bytes of a heartbeat file
_LONGEST_LEASE = 1e7  # seconds; a file that says more is no heartbeat
LEASES_OF_THE_LIVING = 10
LOOK_EVERY = 1.0  # seconds between looks at most
FEW_LOOKS = 32  # at others in one go, where that is enough


class Look(NamedTuple):
    """What one look at a heartbeat file found.

    Attributes:
        sign: Time stamp, to be compared with that of another look.
        lease: Seconds of the writer's lease or the looker's, whichever is longer.
        lives: True if the writer provably lives, False if it is proven dead, None if neither is proven.
    """

    sign: object
    lease: float
    lives: bool | None

    @property
    def patience(self) -> float:
        """Return the seconds without a beat after which the writer counts as dead.

        A beat may be late in a living process: code that does not let other threads run, or a stop. It
        gets ten leases, since it may never come back.
        """
        return self.lease * (LEASES_OF_THE_LIVING if self.lives else 1)


class Silence:
    """Looks that all saw the same time stamp.

    Args:
        sign: Time stamp that they saw.
        first: Moment of the first of them on the monotonic clock.

    Attributes:
        first: Moment of the first of them, or since which none of them were more than a beat apart.
        last: Moment of the last of them.
        announced: True once a lease without a beat was logged.
    """

    def __init__(self, sign: object, first: float) -> None:
        self.sign, self.first, self.last = sign, first, first
        self.announced = False


class Watch:
    """Looks at heartbeat files, and judges which of their writers are dead.

    On the same host a death is proven at once. Elsewhere a process counts as dead after looks over a
    whole lease, on the looker's own clock and never more than a beat apart, so seven at least, that
    all saw the same time stamp; on the same host one that provably lives does so after ten leases.

    Args:
        folder: Directory of the study.
        lease: Seconds without a beat after which a process counts as dead; at least 120 over NFS, whose
            attribute caches may be 60 s old.
        kind: Folder of the files in the study's directory. Default: "workers".
    """

    def __init__(self, folder: Path, lease: float, kind: str = WORKERS) -> None:
        self._folder = folder / kind
        self._lease = lease
        self._silences: dict[str, Silence] = {}
        self._place = f"{zlib.crc32(own_name().encode()):08x}"

    def in_turn(self, names: Collection[str]) -> list[str]:
        """Return the names to look at now: some of many, so that all have a turn within half a beat."""
        rounds = max(1.0, self._lease / (2 * BEATS_PER_LEASE * LOOK_EVERY))
        return self._next(names, max(FEW_LOOKS, math.ceil(len(names) / rounds)))

    def _next(self, names: Collection[str], most: int) -> list[str]:
        """Return the next names of a circle, which each process begins at another place.

        Names end in random digits, and are in the order of their reverse.
        """
        if len(names) <= most:
            return sorted(names)
        circle = sorted(names, key=lambda name: (name[::-1] <= self._place, name[::-1]))
        self._place = circle[most - 1][::-1]
        return circle[:most]

    def is_dead(self, name: str) -> bool:
        """Look once at a file; return whether its writer is dead, as far as all looks tell."""
        look, now = self._look(name), time.monotonic()
        if look.lives is False:
            self._silences.pop(name, None)
            return True
        silence = self._silences.get(name)
        if silence is None or silence.sign != look.sign:
            silence = self._silences[name] = Silence(look.sign, now)
        if now - silence.last > look.lease / BEATS_PER_LEASE:
            silence.first = now  # a beat could have come and gone unseen between distant looks
        silence.last = now
        if look.lives and now - silence.first >= look.lease:
            self._announce(name, silence, look)
        return now - silence.first >= look.patience

    def silence(self, name: str) -> float:
        """Return the seconds over which looks saw no beat; 0 for a writer whose death is proven."""
        silence = self._silences.get(name)
        return 0.0 if silence is None else silence.last - silence.first

    def sign(self, name: str) -> tuple[float | None, float, bool]:
        """Return, for display, seconds since the last beat and after which it is dead; True if it is so."""
        look = self._look(name)
        dead = look.lives is False
        try:
            silent = max(0.0, time.time() - (self._folder / name).lstat().st_mtime)
            return silent, look.patience, dead
        except OSError:
            return None, look.patience, dead

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
        self._silences.pop(name, None)
        with suppress(OSError), opened(self._folder) as folder:
            os.unlink(name, dir_fd=folder)

    def names(self) -> list[str]:
        """Return the names of all files; empty where the folder cannot be read."""
        try:
            return os.listdir(self._folder) if is_folder(self._folder) else []
        except OSError:
            return []

    def remove_idle(self, busy: Collection[str | None]) -> None:
        """Remove files of processes that are proven dead and hold nothing; only under the lock.

        A few are looked at, and more as long as those are dead.

        Args:
            busy: Names of those that hold something.
        """
        idle = set(self.names()).difference(busy)
        while dead := [name for name in self._next(idle, FEW_LOOKS) if self.is_proven_dead(name)]:
            for name in dead:
                self.remove_dead(name)
            idle.difference_update(dead)

    def is_proven_dead(self, name: str) -> bool:
        """Return whether a file's writer is proven dead before its lease is over; only under the lock."""
        return self._look(name).lives is False or self._is_torn(name)

    def _is_torn(self, name: str) -> bool:
        """Return whether a file was never whole: it is written under the lock, so its writer is dead."""
        try:
            json.loads(read_front(self._folder / name, _LONGEST))
        except (ValueError, RecursionError):
            return True
        except OSError:
            pass
        return False

    def _announce(self, name: str, silence: Silence, look: Look) -> None:
        """Log, once in a silence, that a living process has no heartbeat."""
        if not silence.announced:
            silence.announced = True
            log.warning(
                "%s runs, but gave no sign of life for %.0f s: it is stopped, or busy in code that lets no "
                "other thread run. What it holds is taken back after %.0f s.",
                display_name(name), silence.last - silence.first, look.patience,
            )  # fmt: skip

    def _look(self, name: str) -> Look:
        path = self._folder / name
        try:
            found = json.loads(read_front(path, _LONGEST))
            lease = max(self._lease, _seconds(found.pop("lease")))
            found.pop("guest", None)
            status = path.lstat()
            return Look((status.st_ino, status.st_mtime_ns), lease, ProcessIdentity(**found).lives())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return Look("no sign", self._lease, None)


def display_name(name: str) -> str:
    """Return the process that wrote a worker's or a pin's file, for the beginning of a sentence."""
    host, pid, _ = [*name.rsplit(".", 2), "?", "?"][:3]
    return printable(f"Process {pid} on {host.rpartition('.')[2]}")


def _seconds(value: Any) -> float:
    if not 0 < value < _LONGEST_LEASE:
        raise ValueError(f"{value!r} is no lease")
    return float(value)
