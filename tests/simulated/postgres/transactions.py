"""Statements about transactions, locks and notifications."""

from __future__ import annotations

from collections import Counter

from tests.simulated.postgres.server import Statements


def _lock_timeout(session, found, values):
    session.transaction.lock_timeout = int(found[1]) / 1000


def _set(session, found, values):
    session.transaction  # noqa: B018 # an implicit one begins


def _begin(session, found, values):
    session.transaction.explicit = True


def _commit(session, found, values):
    session.commit()


def _rollback(session, found, values):
    session.rollback()


def _lock(session, found, values):
    session.server.take(session, int(found[2]))
    if not found[1]:
        session.kept[int(found[2])] += 1
    return [("",)]


def _unlock(session, found, values):
    session.kept -= Counter([int(found[1])])
    session.server.leave_queues(session, int(found[1]))
    return [("",)]


def _unlock_all(session, found, values):
    locks, session.kept = list(session.kept), Counter()
    for lock in locks:
        session.server.leave_queues(session, lock)
    return [("",)]


def _holder(session, found, values):
    holder = session.server.holder()
    return [] if holder is None else [(f"hoptim {holder.client.process.name}", "then")]


def _listen(session, found, values):
    session.transaction.listens.add(found[1])


def _unlisten(session, found, values):
    session.listens.clear()


def _notify(session, found, values):
    session.transaction.notes.append(tuple(values))
    return [("",)]


KNOWN: Statements = {
    "SET LOCAL lock_timeout = ([0-9]+)$": _lock_timeout,
    "SET |SELECT set_config": _set,
    "BEGIN": _begin,
    "COMMIT$": _commit,
    "ROLLBACK$": _rollback,
    r"SELECT pg_advisory_(xact_)?lock\((-?[0-9]+)\)$": _lock,
    r"SELECT pg_advisory_unlock\((-?[0-9]+)\)$": _unlock,
    r"SELECT pg_advisory_unlock_all\(\)$": _unlock_all,
    "SELECT application_name": _holder,
    "LISTEN (hoptim_[0-9a-f]+)$": _listen,
    r"UNLISTEN \*$": _unlisten,
    r"SELECT pg_notify\(%s, %s\)$": _notify,
}
