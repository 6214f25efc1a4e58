"""Tests of the contract of a study's journal."""

from __future__ import annotations

import time
import warnings
from functools import partial
from multiprocessing.connection import Connection

from hoptim.errors import LockTimeout
from hoptim.testing._journal_holds import CROWD, HoldTests
from hoptim.testing._journal_records import RecordTests
from hoptim.testing._peer import LIMIT, Peer, elsewhere, error_of, note


class JournalConformance(RecordTests, HoldTests):
    """Tests of the contract of a journal, the records of a study in one order that all agree on.

    Derive a class whose name starts with `Test`, define `make`, and let pytest collect it. Before each test
    there must be a study of its own with one record, number 0. Override a test that cannot apply with one
    that is skipped.

    Attributes:
        in_processes: True if an object of the class can be sent to other processes and `make` gives a
            journal of the same study there, also after a fork. Default: False.
    """

    def test_holders_in_processes_come_one_at_a_time(self) -> None:
        """Require that processes which count up in holds give no number twice and lose none."""
        spawn = self._processes("spawn")
        start = spawn.Barrier(CROWD)
        processes = [
            spawn.Process(target=self._count_up, args=(start, i > 0), daemon=True) for i in range(CROWD)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(LIMIT)
            assert process.exitcode == 0, f"A process must end well, found {process.exitcode}."
        self._require_counted()

    def test_the_hold_of_a_process_ends_when_it_is_killed(self) -> None:
        """Require that a process keeps others out until it is killed, and what it had finished stays."""
        spawn = self._processes("spawn")
        here, there = spawn.Pipe()
        other = Peer(self.make())
        process = spawn.Process(target=self._hold_on, args=(there,), daemon=True)
        process.start()
        try:
            assert here.poll(LIMIT), "A process must hold within a minute."
            error = error_of(partial(other.hold, 0.2))
            assert isinstance(error, LockTimeout), (
                f"hold(0.2) must raise LockTimeout while another process holds, found {error!r}."
            )
        finally:
            process.kill()
            process.join()
        other.append(*note("next"))
        assert other.values()[:1] == ["finished"], f"'finished' must be there, found {other.values()}."
        assert other.values()[-1:] == ["next"], f"'next' must be the last one, found {other.values()}."

    def test_wait_ends_in_time(self) -> None:
        """Require that a wait ends after its seconds when nothing comes."""
        journal = self.make()
        elsewhere(partial(journal.wait, 0.0))
        began = time.monotonic()
        elsewhere(partial(journal.wait, 0.05))
        took = time.monotonic() - began
        assert took < 0.1 * LIMIT, f"wait(0.05) must end after 0.05 s, but took {took:.1f} s."

    def test_what_comes_while_one_waits_is_read(self) -> None:
        """Require that rounds of wait and read find what another one appends meanwhile."""
        waiter, other = self._peers(2)
        waiter.read()
        end = time.monotonic() + LIMIT / 2

        def wait() -> None:
            while not waiter.values() and time.monotonic() < end:
                waiter.journal.wait(0.02)
                waiter.read()

        elsewhere(wait, partial(other.append, *note("meanwhile")))
        assert waiter.values() == ["meanwhile"], f"'meanwhile' must be read, found {waiter.values()}."

    def test_what_wakes_nobody_is_read(self) -> None:
        """Require that records which need not wake anybody are there, also for one who waits."""
        waiter, other = self._peers(2)
        waiter.read()
        elsewhere(partial(waiter.journal.wait, 0.0))
        with other.journal.hold(LIMIT):
            other.add(*note("quiet"), wakes=False)
        elsewhere(partial(waiter.journal.wait, 0.0))
        waiter.read()
        assert waiter.values() == ["quiet"], f"'quiet' must be read, found {waiter.values()}."

    def test_a_forked_child_reads_and_appends(self) -> None:
        """Require that a child of `os.fork` uses its parent's object, and that the parent goes on."""
        parent = self._peers(1)[0]
        child = self._processes("fork").Process(target=parent.append, args=note("child"), daemon=True)
        parent.append(*note("parent"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # for threads of other tests
            child.start()
        child.join(LIMIT)
        assert child.exitcode == 0, f"A forked child must read and append, but ended with {child.exitcode}."
        parent.append(*note("next"))
        assert parent.values() == ["parent", "child", "next"], f"Found {parent.values()} after a fork."

    def _hold_on(self, there: Connection) -> None:
        """Hold until this process is killed."""
        peer = Peer(self.make())
        peer.append(*note("finished"))
        with peer.journal.hold(LIMIT):
            peer.read()
            there.send("held")
            time.sleep(2 * LIMIT)
