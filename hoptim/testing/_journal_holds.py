"""Tests of the holds of a journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import SkipTest

from hoptim.errors import HoldLost, LockTimeout
from hoptim.store.memory_journal import Journal
from hoptim.testing._journal_study import JournalStudy
from hoptim.testing._peer import LIMIT, Peer, elsewhere, error_of, note

_BRIEF = 0.2  # seconds to wait for a holder who does not let go
CROWD = 3  # threads or processes that hold in turns
_ROUNDS = 15


class HoldTests(JournalStudy):
    """Tests of who may append: one at a time, and nobody who has lost its hold."""

    def cut_off(self, journal: Journal) -> None:
        """Make the hold of a journal go to others while its holder stalls; override it if that can be.

        Args:
            journal: Journal that is held.
        """
        raise SkipTest("A hold of this journal cannot be lost.")

    def test_an_append_is_seen_whole(self) -> None:
        """Require that one who reads all the time never sees a part of an append."""
        writer, reader = self._peers(2)
        rounds, done = [0], threading.Event()

        def write() -> None:
            try:
                for i in range(_ROUNDS):  # all together less than a page of a file
                    begun = rounds[0]
                    writer.append(*note(i, i, i))
                    while rounds[0] < begun + 2 and not done.is_set():
                        time.sleep(0.001)
            finally:
                done.set()

        def read() -> list[int]:
            counts = []
            try:
                while not done.is_set():
                    reader.read()
                    counts.append(len(reader.values()))
                    rounds[0] += 1
            finally:
                done.set()
            return counts

        counts: Any = elsewhere(read, write)[0]
        parts = [count for count in counts if count % 3]
        assert not parts, f"An append of 3 records must be seen whole, but {parts[0]} were there."
        assert len(reader.read()) == 1 + 3 * _ROUNDS, "Each append must be read in the end."

    def test_readers_need_no_hold(self) -> None:
        """Require that others read while one holds, and see what was there before."""
        holder = self._peers(1)[0]
        holder.append(*note("before"))
        with holder.journal.hold(LIMIT):
            holder.read()
            self._far_away(self._must_read, "before")

    def test_hold_gives_up_in_time(self) -> None:
        """Require `LockTimeout` while another one holds, however long it stalls, and a hold afterwards."""
        holder, other = self._peers(2)
        with holder.journal.hold(LIMIT):
            holder.add(*note("first"))
            for timeout in (0.0, _BRIEF):
                (error,) = elsewhere(partial(error_of, partial(other.hold, timeout)))
                assert isinstance(error, LockTimeout), (
                    f"hold({timeout}) must raise LockTimeout while another one holds, found {error!r}."
                )
        elsewhere(partial(other.append, *note("second")))
        holder.read()
        assert holder.values() == ["first", "second"], (
            f"'first' and 'second' must be there, found {holder.values()}."
        )

    def test_holders_come_one_at_a_time(self) -> None:
        """Require that threads which count up in holds give no number twice and lose none."""
        start = threading.Barrier(CROWD)
        elsewhere(*[partial(self._count_up, start) for _ in range(CROWD)])
        self._require_counted()

    def test_what_is_read_ahead_of_a_hold_is_read_once(self) -> None:
        """Require that threads that read ahead of holds count up the same, and read nothing twice."""
        start = threading.Barrier(CROWD)
        found = elsewhere(*[partial(self._count_up, start, ahead=True) for _ in range(CROWD)])
        self._require_counted()
        for numbers in found:
            once = list(range(len(numbers)))
            assert numbers == once, f"Each record must be read once and in order, found {numbers}."

    def test_a_read_ahead_lets_the_next_one_in(self) -> None:
        """Require that others hold after a hold with a read ahead, also when that read failed."""
        one = self._peers(1)[0]
        called = []

        def fail() -> None:
            called.append(True)
            raise KeyError("ahead")

        def held(ahead: Callable[[], None]) -> None:
            with one.journal.hold(LIMIT, ahead):
                one.add(*note("held"))

        held(one.catch_up)
        self._far_away(self._append, "first")
        error = error_of(partial(held, fail))
        assert isinstance(error, KeyError) if called else error is None, (
            f"The error of a function that reads ahead must come through, found {error!r}."
        )
        self._far_away(self._append, "second")
        one.read()
        wanted = ["held", "first", "second"] if called else ["held", "first", "held", "second"]
        assert one.values() == wanted, f"{wanted} must be there, found {one.values()}."

    def test_an_error_in_a_hold_adds_nothing(self) -> None:
        """Require that a hold which an error ends adds nothing by itself, and lets the next one in."""
        one, other = self._peers(2)

        def fail() -> None:
            with one.journal.hold(LIMIT):
                one.read()
                raise KeyError("decided")

        error = error_of(fail)
        assert isinstance(error, KeyError), f"The error of a block must come through, found {error!r}."
        elsewhere(partial(other.append, *note(1)))
        one.append(*note(2))
        assert other.read() == one.read(), "All must see the same records after an error in a hold."
        assert one.values() == [1, 2], f"1 and 2 must be there, found {one.values()}."

    def test_a_holder_that_was_cut_off_before_its_append_is_told(self) -> None:
        """Require `HoldLost`, and nothing of the append, once others have appended."""
        stale = self._peers(1)[0]

        def stall() -> None:
            with stale.journal.hold(LIMIT):
                stale.read()
                self.cut_off(stale.journal)
                self._far_away(self._append, "other")
                stale.journal.append([{"n": stale.journal.count, **note("stale")[0]}])

        self._require_lost(stall, stale)

    def test_a_holder_that_was_cut_off_after_its_append_is_told(self) -> None:
        """Require `HoldLost` at the end of the hold, and nothing of it, if the hold was lost before."""
        stale = self._peers(1)[0]

        def stall() -> None:
            with stale.journal.hold(LIMIT):
                stale.add(*note("stale"))
                self.cut_off(stale.journal)
                self._far_away(self._append, "other")

        error = error_of(stall)
        if error is None:  # then it was recorded before the hold was lost, and the other one saw that
            found = Peer(self.make())
            found.read()
            assert found.values() == ["stale", "other"], f"'stale' was recorded, found {found.values()}."
            return
        self._require_lost(partial(_throw, error), stale)

    def test_what_a_holder_that_was_cut_off_says_is_true(self) -> None:
        """Require that its records are there if nothing was raised, and not after `HoldLost`."""
        stale = self._peers(1)[0]

        def stall() -> None:
            with stale.journal.hold(LIMIT):
                stale.add(*note("stale"))
                self.cut_off(stale.journal)

        error = error_of(stall)
        if isinstance(error, SkipTest):
            raise error
        late = Peer(self.make())
        late.read()
        assert error is not None or late.values() == ["stale"], (
            f"'stale' was recorded, as no error was raised, but found {late.values()}."
        )
        assert not isinstance(error, HoldLost) or late.values() == [], (
            f"Nothing was recorded, as HoldLost was raised, but found {late.values()}."
        )

    def _require_lost(self, stall: Callable[[], object], stale: Peer) -> None:
        error = error_of(stall)
        if isinstance(error, SkipTest):
            raise error
        assert isinstance(error, HoldLost), f"A hold that was lost must raise HoldLost, found {error!r}."
        stale.append(*note("again"))
        for peer in (stale, Peer(self.make())):
            peer.read()
            assert peer.values() == ["other", "again"], (
                f"What others appended must stay, and a retry alone be added, found {peer.values()}."
            )

    def _far_away(self, call: Callable[[str], None], value: str) -> None:
        """Call in another process if there may be some, since threads of one may wait for each other."""
        if not self.in_processes:
            elsewhere(partial(call, value))
            return
        process = self._processes("spawn").Process(target=call, args=(value,), daemon=True)
        process.start()
        process.join(LIMIT)
        assert process.exitcode == 0, (
            f"Another process must end well in a minute, but its exit code is {process.exitcode}."
        )

    def _must_read(self, value: str) -> None:
        peer = Peer(self.make())
        peer.read()
        assert peer.values() == [value], f"{value!r} must be read, found {peer.values()}."

    def _append(self, value: str) -> None:
        Peer(self.make()).append(*note(value))

    def _count_up(self, start: Any, ahead: bool = False) -> list[int]:
        """Append the number behind the last one, in some holds; return the numbers of all records."""
        peer = Peer(self.make())
        start.wait(LIMIT)
        for _ in range(_ROUNDS):
            with peer.journal.hold(LIMIT, peer.catch_up if ahead else None):
                peer.read()
                last = max(peer.values(), default=0)
                time.sleep(0)  # lets another thread go on here
                peer.add(*note(last + 1))
        return [record["n"] for record in peer.records]

    def _require_counted(self) -> None:
        peer = Peer(self.make())
        peer.read()
        wanted = list(range(1, CROWD * _ROUNDS + 1))
        assert peer.values() == wanted, f"Numbers must be given once each, found {peer.values()}."


def _throw(error: BaseException) -> None:
    raise error
