"""The place in a journal up to which it was logged, in a folder that one process at a time writes to."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from hoptim._files import explained, make_folder, replace_whole
from hoptim.errors import ArgumentError

_FILE, _LOCK = "hoptim-place.json", "hoptim-lock"
_FORMAT = 1
_NOWHERE: dict[str, Any] = {"record": 0, "winner": None, "mark": None}


class Place:
    """How far a study was logged; held by this process until `leave`, or until the process ends.

    Args:
        folder: Folder of the logger, made if it is not there.
        uuid: Identifier of the study.

    Attributes:
        record: Number of records of the journal that were looked at.
        winner: Number of the trial whose line was logged as the winner's, None before.
        mark: Mark of the logger. Behind one that is None the place is found at the journal's begin again.

    Raises:
        ArgumentError: Another process logs to the folder, or it is of another study, or was written by a
            later version.
        StoreError: The folder cannot be written.
    """

    def __init__(self, folder: Path, uuid: str) -> None:
        self._path, self._uuid = folder / _FILE, uuid
        with explained("make", folder):
            make_folder(Path(os.path.realpath(folder)), parents=True)
        with explained("open", folder / _LOCK):
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._take(folder)
            found = self._read()
        except BaseException:
            self.leave()
            raise
        self.record: int = found["record"]
        self.winner: int | None = found["winner"]
        self.mark: Any = found["mark"]

    def move(self, record: int, winner: int | None, mark: Any) -> None:
        """Note how far the journal was logged; durable when this returns."""
        self.record, self.winner, self.mark = record, winner, mark
        content = {"format": _FORMAT, "study": self._uuid, "record": record, "winner": winner, "mark": mark}
        replace_whole(self._path, json.dumps(content).encode())

    def leave(self) -> None:
        """Let another process write to the folder."""
        os.close(self._lock)

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArgumentError(
                f"Another process logs to {str(folder)!r}, which takes one writer. Stop it, or log to "
                "another folder."
            ) from None

    def _read(self) -> dict[str, Any]:
        with explained("read", self._path):
            try:
                text = self._path.read_bytes()
            except FileNotFoundError:
                return _NOWHERE
        try:
            found = json.loads(text)
            study, version = found["study"], found["format"]
        except (ValueError, KeyError, TypeError):
            raise ArgumentError(
                f"{str(self._path)!r} is not what hoptim wrote. Remove it, and the study is logged anew."
            ) from None
        if version != _FORMAT:
            raise ArgumentError(f"{str(self._path)!r} was written by a later version of hoptim; update it.")
        if study != self._uuid:
            raise ArgumentError(
                f"{str(self._path.parent)!r} has the curves of another study. Log to another folder."
            )
        return _NOWHERE if found["mark"] is None else dict(found)
