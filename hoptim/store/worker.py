"""This process as a worker: a file that shows others that it trains, and lives."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from hoptim._files import explained, is_there, make_folder, write_new
from hoptim.options import START
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.layout import WORKERS
from hoptim.store.process_identity import ProcessIdentity, new_id


class Worker:
    """A file `workers/<id>` whose time stamp moves.

    Args:
        folder: Directory of the study.
        heartbeat: Heartbeat of this process in the study.
        guest: True if it claims for somebody else, who lives on after this process: its parent in a
            shell. Then no death is ever proven, and only `Watch.beat` moves the time stamp. Default: False.

    Attributes:
        id: Name of the file: host, pid, and the identifier of a launcher's start with some random digits.
        pid: Process that made this object; a forked child is another worker.
    """

    def __init__(self, folder: Path, heartbeat: Heartbeat, guest: bool = False) -> None:
        self.id = new_id(os.getppid() if guest else os.getpid(), _start())
        self.pid = os.getpid()
        self._guest, self._heartbeat = guest, heartbeat
        self._path = folder / WORKERS / self.id

    def start(self) -> None:
        """Write the file and begin to beat; only under the lock, before the first claim."""
        mine = ProcessIdentity.of_parent() if self._guest else ProcessIdentity.mine()
        with explained("write", self._path):
            make_folder(self._path.parent)
            write_new(self._path, heartbeat_file(mine, self._heartbeat.lease, self._guest))
        if not self._guest:
            try:
                self._heartbeat.add([str(self._path)])
            except BaseException:  # a file without a beat would be taken for that of a dead worker
                self._remove()
                raise

    def is_shown(self) -> bool:
        """Return whether the file is still there; others remove it if this process stood still too long."""
        try:
            return is_there(self._path)
        except OSError:
            return True  # nothing is known

    def stop(self) -> None:
        """Stop beating and remove the file; only after the last claim is released."""
        if self.pid == os.getpid():  # a forked child must not remove its parent's file
            self._heartbeat.remove([str(self._path)])
            self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()


def is_of_start(worker: str, start: str) -> bool:
    """Return whether a worker's name carries the identifier that a launcher gave to its process."""
    digits = worker.rpartition(".")[2]
    return len(digits) > len(start) and digits.startswith(start)


def _start() -> str:
    start = os.environ.get(START, "")
    return start if re.fullmatch("[0-9a-f]{8}", start) else ""


def heartbeat_file(identity: ProcessIdentity, lease: float, guest: bool = False) -> bytes:
    """Return the content of a heartbeat file, from which `Watch` judges whether its writer is dead."""
    about = {**identity._asdict(), "lease": lease} | ({"guest": True} if guest else {})
    return json.dumps(about).encode()
