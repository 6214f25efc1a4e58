"""The verdict on one damaged journal: what the promise allows, or what is wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from hoptim.errors import StudyDamaged, StudyMismatch
from hoptim.store.journal import FileJournal
from hoptim.store.line_format import Record
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from tests.damage import SIZE, STEPS, Damage, appends, loads


def all_of(journal: FileJournal) -> list[Record]:
    """What a read adds, or all when what was known is void."""
    found: list[Record] = []
    journal.read(lambda _, records: found.extend(records))
    return found


class Bench:
    """Judges what hoptim makes of damaged copies of one journal.

    Args:
        folder: An empty folder to do it in.
        journal: The whole journal.
    """

    def __init__(self, folder: Path, journal: bytes) -> None:
        self.folder, self.path = folder, folder / "journal.jsonl"
        self._records = loads(journal)
        self._uuid = self._records[0]["uuid"]
        self._warnings = _Warnings()
        self.path.write_bytes(journal)
        with FileJournal(folder, self._uuid).hold(None):  # makes its files
            pass
        self._names = {*os.listdir(folder)}  # what is not kept aside

    def close(self) -> None:
        """Collect no more warnings."""
        self._warnings.close()

    def judge(self, damage: Damage) -> str:
        """The verdict: identical, torn, cut or refused; what begins with 'WRONG' is a broken promise."""
        self.path.write_bytes(damage.found)
        looked = self._read(held=False)
        if self._aside() or self.path.read_bytes() != damage.found:
            return "WRONG: a reader without the lock wrote"
        held = self._read(held=True)
        if repr(held) != repr(looked):
            return f"WRONG: read as {looked!r:.200} without the lock, as {held!r:.200} with it"
        if isinstance(held, Exception):
            return self._refused(damage, held)
        return self._kept(damage, held)

    def _read(self, held: bool) -> list[Record] | Exception:
        journal = FileJournal(self.folder, self._uuid)
        self._warnings.said.clear()
        try:
            if not held:
                return all_of(journal)
            with journal.hold(None):
                return all_of(journal)
        except (StudyDamaged, StudyMismatch) as error:
            return error

    def _refused(self, damage: Damage, error: Exception) -> str:
        if self._aside() or self.path.read_bytes() != damage.found:
            return "WRONG: refused, and written nevertheless"
        place = _first_difference(damage.whole, damage.found)
        another = damage.name.startswith("another's line 1") and isinstance(error, StudyMismatch)
        if str(self.path) not in str(error) or not (another or place in str(error)):
            return f"WRONG: {place} is damaged, not what was said: {error}"
        return "refused"

    def _kept(self, damage: Damage, records: list[Record]) -> str:
        kept = len(records)
        lines = damage.whole.splitlines(keepends=True)
        good = b"".join(lines[:kept])
        # The fold is a function of the records, so equal ones need not be folded.
        if records != self._records[:kept] and self._fold(records) != self._fold(self._records[:kept]):
            return "WRONG: another state"
        if not damage.found.startswith(good) or self.path.read_bytes() != good:
            return "WRONG: the repaired journal is not its good front"
        bad = damage.found[len(good) :]
        if self._aside() != ([bad] if bad else []) or len(self._warnings.said) != bool(bad):
            return "WRONG: a torn tail was not kept aside or not said"
        if damage.whole.startswith(damage.found):
            whole_lines = damage.found.count(b"\n")
            return "cut" if kept == whole_lines else f"WRONG: {whole_lines - kept} whole lines gone"
        if len(good) < appends(damage.whole)[-2]:
            return f"WRONG: {len(lines) - kept} records of several appends cut off"
        return "torn" if kept < len(lines) else "identical"

    def _aside(self) -> list[bytes]:
        """What was kept aside; removed for the next one."""
        names = {*os.listdir(self.folder)} - self._names
        found = [(self.folder / name).read_bytes() for name in names]
        for name in names:
            (self.folder / name).unlink()
        return found

    def _fold(self, records: list[Record]) -> str:
        state = State(StudyShape(SIZE, STEPS, 0, 1))
        for record in records:
            state.apply(record)
        return repr(vars(state))


def _first_difference(whole: bytes, found: bytes) -> str:
    """The line that was damaged, as a message names it."""
    length = 0
    for line, other in zip(whole.splitlines(keepends=True), found.splitlines(keepends=True), strict=False):
        if line != other:
            break
        length += len(line)
    number = whole[:length].count(b"\n") + 1
    return f"line {number}, byte {length}:"


class _Warnings(logging.Handler):
    """Collects what hoptim says, and keeps it off the screen until it is closed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._logger = logging.getLogger("hoptim")
        self._before = self._logger.level, self._logger.propagate
        self._logger.addHandler(self)
        self._logger.setLevel(logging.WARNING)
        self._logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def close(self) -> None:
        self._logger.removeHandler(self)
        self._logger.level, self._logger.propagate = self._before
        super().close()
