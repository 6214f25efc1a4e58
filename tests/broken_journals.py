"""Journals that break their contract in one way each."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress

from hoptim.errors import HoldLost
from tests.model_database import TableJournal


class Unlocked(TableJournal):
    """Lets all hold at once."""

    def take_hold(self, timeout):
        self.table.holder = self


class Unfenced(TableJournal):
    """Adds whatever others have added meanwhile."""

    def require_hold(self, n):
        pass


class Racing(Unlocked, Unfenced):
    """Lets all hold at once, and all read before any adds."""

    meeting = threading.Barrier(3)

    def append(self, records, wakes=True):
        with suppress(threading.BrokenBarrierError):
            self.meeting.wait(0.5)
        super().append(records, wakes)


class Silent(TableJournal):
    """Says nothing of a hold that was lost."""

    def append(self, records, wakes=True):
        with suppress(HoldLost):
            super().append(records, wakes)

    def commit(self):
        with suppress(HoldLost):
            super().commit()


class Late(TableJournal):
    """Says that a hold was lost, and adds its records all the same."""

    def commit(self):
        self.table.texts.extend(self._pending)
        super().commit()


class Piecewise(TableJournal):
    """Adds one record at a time, and reads happen in between."""

    def commit(self):
        for text in self._pending:
            self.table.texts.append(text)
            reads, end = self.table.reads, time.monotonic() + 1.0
            while self.table.reads < reads + 2 and time.monotonic() < end:
                time.sleep(0.001)


class Repeating(TableJournal):
    """Hands over the last record again."""

    def read(self, take):
        self._known -= self._known > 1
        super().read(take)


class Backwards(TableJournal):
    """Hands over what is new from its end."""

    def read(self, take):
        super().read(lambda void, new: take(void, new[::-1]))


class Misnumbered(TableJournal):
    """Counts from 1."""

    def read(self, take):
        super().read(lambda void, new: take(void, [{**record, "n": record["n"] + 1} for record in new]))


class Voiding(TableJournal):
    """Makes all earlier records void by each portion."""

    def read(self, take):
        super().read(lambda void, new: take(True, new))


class Stubborn(TableJournal):
    """Goes on where it was after `forget`."""

    def forget(self):
        self._void = True


class Doubling(TableJournal):
    """Does not say after `forget` that what it gave before is void."""

    def forget(self):
        self._known = 0


class Behind(TableJournal):
    """Does not count what it appended."""

    def append(self, records, wakes=True):
        super().append(records, wakes)
        self._known -= len(records)

    def commit(self):
        self._known += len(self._pending)
        super().commit()
        self._known -= len(self._pending)


class Sorting(TableJournal):
    """Sorts the keys of a record."""

    def append(self, records, wakes=True):
        super().append([json.loads(json.dumps(record, sort_keys=True)) for record in records])


class Plain(TableJournal):
    """Leaves out what is not ASCII."""

    def append(self, records, wakes=True):
        texts = [json.dumps(record, ensure_ascii=False) for record in records]
        super().append([json.loads(text.encode("ascii", "ignore")) for text in texts])


class Short(TableJournal):
    """Cuts long texts."""

    def append(self, records, wakes=True):
        super().append([{k: v[:65_536] if type(v) is str else v for k, v in r.items()} for r in records])


class Lenient(TableJournal):
    """Takes what is no JSON."""

    def append(self, records, wakes=True):
        self._pending += [json.dumps(record, default=str) for record in records]
        self._known += len(records)


class Partial(TableJournal):
    """Adds the records before one that is refused."""

    def append(self, records, wakes=True):
        for record in records:
            super().append([record])
            self.commit()
            self._pending = []


class Lazy(TableJournal):
    """Says that records are there, and adds them in its next hold."""

    late = ()

    def commit(self):
        self._pending, self.late = [*self.late], self._pending
        super().commit()


class Jealous(TableJournal):
    """Does not read while another one holds."""

    def read(self, take):
        if self.table.holder is not self:
            self.take_hold(None)
            self.table.end_hold(self)
        super().read(take)


class Poisoned(TableJournal):
    """Never ends a hold in which there was an error."""

    def forget(self):
        super().forget()
        self.table.holder = None if self.table.holder is not self else object()


class Sleepy(TableJournal):
    """Waits until something comes, or far too long."""

    def wait(self, seconds):
        known, end = len(self.table.texts), time.monotonic() + seconds + 5.0
        while len(self.table.texts) == known and time.monotonic() < end:
            time.sleep(0.01)


class Inattentive(TableJournal):
    """Misses what comes while it waits."""

    def wait(self, seconds):
        time.sleep(0.2)
        self._known = len(self.table.texts)


class Rewinding(TableJournal):
    """Reads again what was read ahead of a hold."""

    def hold(self, timeout, ahead=None):
        known = self._known

        def rewound():
            ahead()
            self._known = known

        return super().hold(timeout, ahead and rewound)


class Hasty(TableJournal):
    """Takes its hold before it reads ahead."""

    @contextmanager
    def hold(self, timeout, ahead=None):
        if ahead is not None:
            self.take_hold(timeout)
            ahead()
            self.table.end_hold(self)
        with super().hold(timeout):
            yield


class Whispering(TableJournal):
    """Leaves out what wakes nobody."""

    def append(self, records, wakes=True):
        if wakes:
            super().append(records)
