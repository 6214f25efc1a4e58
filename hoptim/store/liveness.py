"""Liveness of other processes, judged by their signs of life."""

from __future__ import annotations

import json
import logging
import math
import time
import zlib
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NamedTuple

from hoptim._text import printable
from hoptim.store.heartbeat import BEATS_PER_LEASE
from hoptim.store.locking.holder import own_name
from hoptim.store.process_identity import Place, ProcessIdentity, place_here
from hoptim.store.signs import Sign, Signs

log = logging.getLogger("hoptim")

_LONGEST_LEASE = 1e7  # seconds; what says more is no sign
LEASES_OF_THE_LIVING = 10
LOOK_EVERY = 1.0  # seconds between looks at most
FEW_LOOKS = 32  # at others in one go, where that is enough


class Look(NamedTuple):
    """What one look at a sign found.

    Attributes:
        stamp: Stamp of the last beat, to be compared with that of another look.
        lease: Seconds of the writer's lease or the looker's, whichever is longer.
        lives: True if the writer provably lives, False if it is proven dead, None if neither is proven.
    """

    stamp: object
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
    """Looks that all saw the same stamp.

    Args:
        stamp: Stamp that they saw.
        first: Moment of the first of them on the monotonic clock.

    Attributes:
        first: Moment of the first of them, or since which none of them were more than a beat apart.
        last: Moment of the last of them.
        announced: True once a lease without a beat was logged.
    """

    def __init__(self, stamp: object, first: float) -> None:
        self.stamp, self.first, self.last = stamp, first, first
        self.announced = False


class Watch:
    """Looks at signs, and judges which of their processes are dead.

    On the same host a death is proven at once. Elsewhere a process counts as dead after looks over a
    whole lease, on the looker's own clock and never more than a beat apart, so seven at least, that
    all saw the same stamp; on the same host one that provably lives does so after ten leases.

    Args:
        signs: Signs of one kind.
        lease: Seconds without a beat after which a process counts as dead; at least 120 over NFS, whose
            attribute caches may be 60 s old.
    """

    def __init__(self, signs: Signs, lease: float) -> None:
        self._signs, self._lease = signs, lease
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
        """Look once at a sign; return whether its process is dead, as far as all looks tell."""
        return name in self.dead([name])

    def dead(self, names: Collection[str]) -> list[str]:
        """Look once at some signs, and return those whose process is dead, as far as all looks tell."""
        seen, place = self._looked_at(names)
        return [name for name in names if self._is_dead(name, seen.get(name), place)]

    def _is_dead(self, name: str, sign: Sign | None, place: Place | None) -> bool:
        look, now = self._judge(sign, place), time.monotonic()
        if look.lives is False:
            self._silences.pop(name, None)
            return True
        silence = self._silences.get(name)
        if silence is None or silence.stamp != look.stamp:
            silence = self._silences[name] = Silence(look.stamp, now)
        if now - silence.last > look.lease / BEATS_PER_LEASE:
            silence.first = now  # a beat could have come and gone unseen between distant looks
        silence.last = now
        if look.lives and now - silence.first >= look.lease:
            self._announce(name, silence, look)
        return now - silence.first >= look.patience

    def silence(self, name: str) -> float:
        """Return the seconds over which looks saw no beat; 0 for a process whose death is proven."""
        silence = self._silences.get(name)
        return 0.0 if silence is None else silence.last - silence.first

    def sign(self, name: str) -> tuple[float | None, float, bool]:
        """Return, for display, seconds since the last beat and after which it is dead; True if it is so."""
        sign = self._seen(name)
        look = self._judge(sign)
        return None if sign is None else sign.silent, look.patience, look.lives is False

    def beat(self, name: str) -> bool:
        """Beat for a guest; return whether its sign is still there."""
        return self._signs.beat([name]) > 0

    def dismiss(self, name: str) -> None:
        """Hide the sign of a guest, whose one claim has ended; one that beats by itself keeps its own."""
        sign = self._seen(name)
        with suppress(ValueError, AttributeError, RecursionError):
            if sign is not None and json.loads(sign.about).get("guest") is True:
                self.remove_dead(name)

    def remove_dead(self, name: str) -> None:
        """Hide the sign of a dead process, once nothing is claimed in its name."""
        self._silences.pop(name, None)
        self._signs.hide([name])

    def names(self) -> list[str]:
        """Return the names of all signs; empty where they cannot be listed."""
        try:
            return self._signs.names()
        except OSError:
            return []

    def remove_idle(self, busy: Collection[str | None]) -> None:
        """Hide the signs of processes that are proven dead and hold nothing; only under the lock.

        A few are looked at, and more as long as those are dead.

        Args:
            busy: Names of those that hold something.
        """
        idle = set(self.names()).difference(busy)
        while dead := self.proven_dead(self._next(idle, FEW_LOOKS)):
            for name in dead:
                self.remove_dead(name)
            idle.difference_update(dead)

    def proven_dead(self, names: Collection[str]) -> list[str]:
        """Return the names of processes that are proven dead before their lease is over; under the lock."""
        seen, place = self._looked_at(names)
        return [
            name
            for name in names
            if self._judge(seen.get(name), place).lives is False or (name in seen and _is_torn(seen[name]))
        ]

    def _looked_at(self, names: Collection[str]) -> tuple[dict[str, Sign], Place | None]:
        """Return some signs, and where this process is, which costs more than a look: once for all."""
        return (self._signs.looks(names), place_here()) if names else ({}, None)

    def _announce(self, name: str, silence: Silence, look: Look) -> None:
        """Log, once in a silence, that a living process has no heartbeat."""
        if not silence.announced:
            silence.announced = True
            log.warning(
                "%s runs, but gave no sign of life for %.0f s: it is stopped, or busy in code that lets no "
                "other thread run. What it holds is taken back after %.0f s.",
                display_name(name), silence.last - silence.first, look.patience,
            )  # fmt: skip

    def _seen(self, name: str) -> Sign | None:
        """Return a sign as it is now, None where none can be seen."""
        try:
            return self._signs.look(name)
        except OSError:
            return None

    def _judge(self, sign: Sign | None, place: Place | None = None) -> Look:
        if sign is not None:
            with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                found = json.loads(sign.about)
                lease = max(self._lease, _seconds(found.pop("lease")))
                found.pop("guest", None)
                return Look(sign.stamp, lease, ProcessIdentity(**found).lives(place))
        return Look("no sign", self._lease, None)


def _is_torn(sign: Sign) -> bool:
    """Return whether a sign was never whole: it is shown under the lock, so its process is dead."""
    try:
        json.loads(sign.about)
    except (ValueError, RecursionError):
        return True
    return False


def display_name(name: str) -> str:
    """Return the process of a worker's or a pin's sign, for the beginning of a sentence."""
    host, pid, _ = [*name.rsplit(".", 2), "?", "?"][:3]
    return printable(f"Process {pid} on {host.rpartition('.')[2]}")


def _seconds(value: Any) -> float:
    if not 0 < value < _LONGEST_LEASE:
        raise ValueError(f"{value!r} is no lease")
    return float(value)
