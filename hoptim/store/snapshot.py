"""The snapshot: a derived file with which a study is opened without its whole journal.

`snapshot.json` holds the hot state at a line of the journal, and that line. It may be removed at any time:
whatever is wrong with it, the journal is read from the front instead.
"""

from __future__ import annotations

import json
import logging
import os
from copy import copy
from functools import partial
from typing import Any

from hoptim._files import read_front, write_new
from hoptim.errors import NewerFormat
from hoptim.store import line_format
from hoptim.store.cursor import Cursor
from hoptim.store.fields import whole
from hoptim.store.folding import fold
from hoptim.store.garbage import collection_paused
from hoptim.store.hot_state import count_hot, pack, unpack
from hoptim.store.journal import FileJournal
from hoptim.store.layout import SNAPSHOT, hidden_name
from hoptim.store.past import History, Past
from hoptim.store.shape import StudyShape
from hoptim.store.state import State

log = logging.getLogger("hoptim")

EVERY = 1000  # records between two snapshots, at least
SHARE = 4  # and at least so many for each trial that is written, so that appends bear little of it
_VERSION = 2
_LONGEST = 1 << 28  # bytes
_WRONG = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


class Snapshots:
    """The file `snapshot.json` of a study.

    Args:
        journal: Journal that it is derived from.
        uuid: Identifier of the study, which seeds the digits of the file.
        shape: Settings of the study.
    """

    def __init__(self, journal: FileJournal, uuid: str, shape: StudyShape) -> None:
        self._journal, self._shape = journal, shape
        self._path = journal.path.with_name(SNAPSHOT)
        self._digits = line_format.start(uuid)

    def begin(self) -> State | None:
        """Return the state of the file, and let the journal be read on from there; else None."""
        try:
            found = self._parsed(read_front(self._path, _LONGEST + 1))
            at = Cursor(found["last"].encode("ascii"))
            at.offset, at.n = whole(found["offset"]), whole(found["n"])
            past = Past(partial(self._history, copy(at)), self._journal.mutex)
            state = unpack(found["state"], self._shape, past)
            if state.n != at.n or at.offset <= 0:
                raise ValueError("its state is of another place")
            self._journal.start_behind(at)  # the next read looks whether the line is there
            return state
        except FileNotFoundError:
            return None
        except (OSError, NewerFormat, *_WRONG):
            log.debug("%s is not used.", self._path, exc_info=True)
            return None

    def after(self, state: State, added: int) -> None:
        """Write the file anew if it is time; an error is nobody's, since the file is not needed.

        Args:
            state: State by all records that have been read.
            added: Number of those that were appended last.
        """
        if not is_due(state, added) or not (mutex := self._journal.mutex).acquire(blocking=False):
            return  # a thread that is in may wait for the lock; another append will do
        try:
            if (at := self._journal.own_end) is not None:
                self._write(self._encoded(state, at))
        except Exception:
            log.debug("%s could not be written.", self._path, exc_info=True)
        finally:
            mutex.release()

    def _write(self, data: bytes) -> None:
        if len(data) > _LONGEST:
            return
        draft = self._path.with_name(hidden_name(SNAPSHOT))
        write_new(draft, data, durable=False)  # a power cut leaves one whose digits are wrong
        try:
            os.replace(draft, self._path)
        except OSError:
            draft.unlink()
            raise

    def _encoded(self, state: State, at: Cursor) -> bytes:
        found = {
            "version": _VERSION, "offset": at.offset, "n": at.n, "last": at.last.decode("ascii"),
            "state": pack(state),
        }  # fmt: skip
        payload = json.dumps(found, separators=(",", ":"), allow_nan=False).encode("ascii")
        return self._line(payload)

    def _parsed(self, data: bytes) -> Any:
        payload = data[9:-1]
        if len(data) > _LONGEST or data != self._line(payload):
            raise ValueError("its digits are wrong")
        found = json.loads(payload)
        if found["version"] != _VERSION:
            raise ValueError("it is of another version")
        return found

    def _line(self, payload: bytes) -> bytes:
        return line_format.digits(self._digits, payload) + b" " + payload + b"\n"

    def _history(self, end: Cursor) -> History:
        """Return all trials that had ended at a place, read from the front of the journal."""
        state = State(self._shape)
        with collection_paused(end.offset):
            for records in self._journal.records_before(end):
                fold(state, records, self._journal.name)
        return History(state.members, list(state.finished.values()))


def is_due(state: State, added: int) -> bool:
    """Return whether a snapshot is due after an append.

    Args:
        state: State with the records that were appended.
        added: Number of them.
    """
    before = state.n - added
    if state.n // EVERY == before // EVERY:
        return False
    every = EVERY * (1 + SHARE * count_hot(state) // EVERY)
    return state.n // every > before // every
