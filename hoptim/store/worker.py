"""This process as a worker: a sign that shows others that it trains, and lives."""

from __future__ import annotations

import json
import os
import re

from hoptim.options import START
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.process_identity import ProcessIdentity, new_id
from hoptim.store.signs import Signs


class Worker:
    """A sign that beats while this process works on a study.

    Args:
        signs: Signs of the study's workers.
        heartbeat: Heartbeat of this process in the study.
        guest: True if it claims for somebody else, who lives on after this process: its parent in a
            shell. Then no death is ever proven, and it beats only by `Watch.beat`. Default: False.

    Attributes:
        id: Name of the sign: host, pid, and the identifier of a launcher's start with some random digits.
        pid: Process that made this object; a forked child is another worker.
    """

    def __init__(self, signs: Signs, heartbeat: Heartbeat, guest: bool = False) -> None:
        self.id = new_id(os.getppid() if guest else os.getpid(), _start())
        self.pid = os.getpid()
        self._guest, self._heartbeat = guest, heartbeat
        self._signs = signs

    def start(self) -> None:
        """Show the sign and begin to beat; only under the lock, before the first claim."""
        mine = ProcessIdentity.of_parent() if self._guest else ProcessIdentity.mine()
        self._signs.show([self.id], sign_of(mine, self._heartbeat.lease, self._guest))
        if not self._guest:
            try:
                self._heartbeat.add(self._signs, [self.id])
            except BaseException:  # a sign without a beat would be taken for that of a dead worker
                self._signs.hide([self.id])
                raise

    def is_shown(self) -> bool:
        """Return whether the sign is still there; others hide it if this process stood still too long."""
        try:
            return self._signs.is_shown(self.id)
        except OSError:
            return True  # nothing is known

    def stop(self) -> None:
        """Stop beating and hide the sign; only after the last claim is released."""
        if self.pid == os.getpid():  # a forked child must not hide its parent's
            self._heartbeat.remove(self._signs, [self.id])
            self._signs.hide([self.id])


def is_of_start(worker: str, start: str) -> bool:
    """Return whether a worker's name carries the identifier that a launcher gave to its process."""
    digits = worker.rpartition(".")[2]
    return len(digits) > len(start) and digits.startswith(start)


def _start() -> str:
    start = os.environ.get(START, "")
    return start if re.fullmatch("[0-9a-f]{8}", start) else ""


def sign_of(identity: ProcessIdentity, lease: float, guest: bool = False) -> bytes:
    """Return what a sign says of its process, from which `Watch` judges whether that is dead."""
    about = {**identity._asdict(), "lease": lease} | ({"guest": True} if guest else {})
    return json.dumps(about).encode()
