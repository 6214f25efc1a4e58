"""How many workers can share a study in PostgreSQL: the model of `size.py`, with costs that are measured.

A server is started on this machine, with fsync and synchronous_commit. One process makes decisions, of
which each (a tell and the next ask) is a read of what is new, a message that takes the lock, and one that
commits. The hold is the time from the first byte of the second message to the last answer, but for one
round trip; records of others are told by a second study of the same process, and read within the hold or
before it. What the model needs besides, it takes from the directory: a hold's growth with each worker
(`benchmarks/results/size.txt`), and the time from a release to the next hold.

For a server that is not on the same machine, each round trip takes as much longer as the second block says.

    python benchmarks/postgres_size.py [--rounds 300]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import gettempdir
from typing import Any, NamedTuple

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]

from costs.machine import header
from postgres import settings
from size import _LIMIT, _SIZES, _TRIALS, row, row_of_mean, show_most

import hoptim
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.journal import PostgresJournal
from hoptim.store.postgres.traffic import FEW, Traffic
from tests.postgres_cluster import Cluster, cluster
from tests.simulated.lock_queue import Costs, mean_wait, modelled
from tests.simulated.timed import LOCAL

_COLUMNS = "decisions/s  median ms      p99 ms   share of time"
_BY_WORKER = 2e-6  # seconds, as fitted to the directory
_FOREIGN = 100  # records of others that are read at once
_AWAY = 0.5e-3  # seconds that a round trip takes longer, to a server in the same zone of a cloud
_MILLI, _MICRO, _MIB = 1e3, 1e6, 2**20


class Decision(NamedTuple):
    """Medians of what a decision takes, in seconds.

    Attributes:
        before: What comes before the lock is asked for, and after it is released.
        reading: From the message that takes the lock until the one that commits is sent.
        commit: The message that commits.
    """

    before: float
    reading: float
    commit: float


class Reads(Traffic):
    """Traffic that does not matter.

    Args:
        early: Whether records are read before the lock is taken.
    """

    is_behind = is_crowded = False

    def __init__(self, early: bool) -> None:
        super().__init__()
        self.is_behind = early


class Watched:
    """A study whose decisions are timed, beside another one that records what is to be read.

    Args:
        url: Address of the study.
    """

    def __init__(self, url: str) -> None:
        space = {name: hoptim.Float(0.0, 2.0) for name in "xy"}
        options: dict[str, Any] = {"size": 16, "steps": 10**6, "mode": "min", "lead": 10**6, "seed": 0}
        self._study = hoptim.Study(url, space=space, **options)
        self._other = hoptim.load(url, lead=10**6)
        self._trials = iter(self._study)
        self._trial = next(self._trials)

    def decisions(self, rounds: int, foreign: int, early: bool) -> Decision:
        """Return the medians of some rounds.

        Args:
            rounds: Number of decisions.
            foreign: Records of others that each has to read.
            early: True if they are read before the lock is taken.
        """
        journal, found = self._study._session.store.journal, []
        assert isinstance(journal, PostgresJournal)
        journal._traffic = Reads(early)
        for _ in range(rounds):
            for _ in range(foreign // 2):
                asked = self._other.ask()
                assert asked is not None
                asked.tell(0.0)
            found.append(self._decide())
        return Decision(*(median(each) for each in zip(*found, strict=True)))

    def _decide(self) -> Decision:
        real, spans = Database.run, []

        def timed(database: Database, statements: str, *parameters: Any) -> Any:
            began = time.perf_counter()
            found = real(database, statements, *parameters)
            spans.append((began, time.perf_counter()))
            return found

        Database.run = timed  # type: ignore[method-assign,assignment]
        try:
            began = time.perf_counter()
            self._trial.tell(0.0)
            self._trial = next(self._trials)
            whole = time.perf_counter() - began
        finally:
            Database.run = real  # type: ignore[method-assign]
        (asked, _), (sent, answered) = spans[-2:]
        return Decision(whole - (answered - asked), sent - asked, answered - sent)

    def close(self) -> None:
        """Leave the study, before its server ends."""
        self._trials.close()  # type: ignore[attr-defined]
        for study in (self._study, self._other):
            study._session.store.leave()


class Found(NamedTuple):
    """What was measured.

    Attributes:
        costs: Costs of a decision.
        trip: Seconds of a round trip.
        commit: Seconds of the message that commits.
        memory: MiB that a connection takes on the server.
    """

    costs: Costs
    trip: float
    commit: float
    memory: float


def measured(server: Cluster, rounds: int) -> Found:
    """Measure decisions."""
    watched = Watched(server.url("size"))
    watched.decisions(10, 2, early=True)
    trip = median(_trips(server, rounds))
    plain = watched.decisions(rounds, 0, early=True)
    within = watched.decisions(rounds // 15, _FOREIGN, early=False)
    before = watched.decisions(rounds // 15, _FOREIGN, early=True)
    size = memory(server)
    watched.close()
    costs = Costs(
        hold=plain.reading + plain.commit - trip,
        by_worker=_BY_WORKER,
        fold=max(0.0, within.reading - plain.reading) / _FOREIGN,
        early=max(0.0, before.before - plain.before) / _FOREIGN,
        outside=plain.before + trip,
        late=0.0,
        handover=LOCAL.handover,
        line=FEW,
    )
    return Found(costs, trip, plain.commit, size)


def _trips(server: Cluster, rounds: int) -> Iterator[float]:
    import psycopg

    with psycopg.connect(server.url("").partition("?")[0], autocommit=True) as connection:
        for _ in range(rounds):
            began = time.perf_counter()
            connection.execute("SELECT 1")
            yield time.perf_counter() - began


def memory(server: Cluster) -> float:
    """Return the mean MiB of a connection of hoptim on the server, with its share of shared memory."""
    found = server.ask("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'hoptim%'")
    sizes = []
    for (pid,) in found:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")]
    return sum(sizes) / len(sizes) / _MIB


def show(costs: dict[str, Costs]) -> None:
    """Print what is modelled."""
    print(f"\nmodelled   workers  trial s  {_COLUMNS}")
    for name, each in costs.items():
        for trial in _TRIALS:
            for workers in _SIZES:
                print(row(name, workers, trial, modelled(each, workers, trial)), flush=True)
            print(row_of_mean(name, trial, mean_wait(each, _LIMIT, trial)))
    print("\nmost workers whose decisions take at most 1 % and 10 % of their time (+: or more)")
    print("              trial s  usually                 after a stall           all read within the hold")
    for name, each in costs.items():
        show_most(name, each)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="decisions that medians are of")
    rounds = parser.parse_args(arguments).rounds
    with cluster(fsync=True, **settings(4)) as server:
        version = server.ask("SHOW server_version")[0][0].split()[0]
        print(" ".join(["python benchmarks/postgres_size.py", *(arguments or sys.argv[1:])]))
        print(header(Path(gettempdir()), f"PostgreSQL {version}"))
        near, trip, commit, size = measured(server, rounds)
        print(
            f"a round trip {_MILLI * trip:.2f} ms; a hold {_MILLI * near.hold:.2f} ms, of which the commit "
            f"{_MILLI * commit:.2f} ms; the rest of a decision {_MILLI * near.outside:.2f} ms;\n"
            f"a record of another {_MICRO * near.fold:.1f} us within the hold, "
            f"{_MICRO * near.early:.1f} us before it;\n"
            f"a connection takes {size:.1f} MiB of the server's memory, and a worker has two"
        )
    far = near._replace(hold=near.hold + _AWAY, outside=near.outside + 2 * _AWAY)
    print(f"'0.5 ms': a server to which a round trip takes {_MILLI * _AWAY:g} ms longer")
    show({"database": near, "0.5 ms": far})


if __name__ == "__main__":
    main()
