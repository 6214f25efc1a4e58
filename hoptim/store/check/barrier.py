"""A barrier in a folder: processes, perhaps on several machines, that go through the same steps."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._files import flush, read_front, write_all
from hoptim.errors import StoreError

_SIZE = 1 << 14  # bytes of a member's file, so that a rewrite never changes its length
_PAUSE = 0.02  # seconds between looks
_PATIENCE = 180.0  # seconds that a step may take


class Barrier:
    """One process at a barrier, where all wait for each other at each step.

    A member is a file whose bytes move while it waits; one that does not move is of a run that was
    killed, and counts for nothing.

    Args:
        folder: Folder to meet in.
        count: Number of members.
        check: Called while waiting, to raise when waiting is in vain. Default: None.

    Attributes:
        me: Name of this member.
        members: Names of all members, once they have met.
    """

    def __init__(self, folder: Path, count: int, check: Callable[[], object] | None = None) -> None:
        self.folder, self._count, self._check = folder, count, check
        self.me = f"{os.uname().nodename[:40]}.{os.getpid()}.{os.urandom(3).hex()}"
        self.members: list[str] = []
        self._beat, self._said = 0, list[dict[str, Any]]()
        self._fd = os.open(self._path(self.me), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def join(self, seconds: float) -> None:
        """Wait until all have come and agree on who they are.

        Raises:
            StoreError: They did not come in time.
        """
        first: dict[str, object] = {}
        alive = {self.me}

        def met() -> bool:
            self._publish()
            for name in self._seen():
                found = self._read(name)
                if found and first.setdefault(name, found) != found:
                    alive.add(name)
            if len(alive) >= self._count:
                self.members = sorted(alive)[: self._count]
            return bool(self.members) and all(
                self._read(n).get("members") == self.members for n in self.members
            )

        try:
            self._wait(met, seconds, f"{self._count} members did not meet")
        except StoreError as error:
            raise StoreError(error.errno, f"{error.strerror} Seen: {', '.join(sorted(alive))}.") from None

    def step(self, **said: Any) -> dict[str, dict[str, Any]]:
        """Publish something, and wait until all have; return what each published.

        Raises:
            StoreError: A member did not, or left.
        """
        self._say(said)
        number = len(self._said)

        def came() -> bool:
            self._check_left()
            return all(len(self._read(name).get("said", ())) >= number for name in self.members)

        self._wait(came, _PATIENCE, "A member did not go on")
        return {name: self._read(name)["said"][number - 1] for name in self.members}

    def leave(self) -> None:
        """Wait until all have come to the end, and close; the folder may then go."""
        self._say({})
        number = len(self._said)

        def gone() -> bool:
            found = [self._read(name) for name in self.members]
            return all(not member or len(member["said"]) >= number for member in found)

        self._wait(gone, _PATIENCE, "A member did not come to the end")
        self.close()

    def close(self) -> None:
        """Close this member's file."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _path(self, name: str) -> Path:
        return self.folder / f"member-{name}"

    def _seen(self) -> Iterable[str]:
        with suppress(FileNotFoundError):
            names = os.listdir(self.folder)
            return [name.removeprefix("member-") for name in names if name.startswith("member-")]
        self._check_left()
        return []

    def _check_left(self) -> None:
        if not os.path.lexists(self._path(self.me)):
            raise StoreError(errno.ENOENT, f"A member left early and removed {str(self.folder)!r}.")

    def _say(self, said: dict[str, Any]) -> None:
        self._said.append(said)
        self._publish()

    def _publish(self) -> None:
        self._beat += 1
        member = {"beat": self._beat, "members": self.members, "said": self._said}
        write_all(self._fd, json.dumps(member).encode().ljust(_SIZE), 0)
        flush(self._fd)

    def _read(self, name: str) -> dict[str, Any]:
        """Return what a member published; {} while that is being written, or it is gone."""
        try:
            found = json.loads(read_front(self._path(name), _SIZE))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _wait(self, condition: Callable[[], bool], seconds: float, failed: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if self._check is not None:
                self._check()
            if time.monotonic() >= end:
                raise StoreError(errno.ETIMEDOUT, f"{failed} within {seconds:.0f} s.")
            time.sleep(_PAUSE)
