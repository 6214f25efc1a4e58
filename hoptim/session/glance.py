"""What a notebook shows of a study: its progress, the best trial, and the values of the winner's line."""

from __future__ import annotations

from hoptim import _html
from hoptim.analysis.headline import result, share
from hoptim.errors import LockTimeout, NoResult
from hoptim.session.results import Results
from hoptim.session.session import Session


def glance(session: Session) -> str:
    """Return the HTML; never waits for a lock.

    Raises:
        LockTimeout: Same cause as for `without_waiting`.
    """
    return _shown(session, without_waiting(session))


def without_waiting(session: Session) -> Results:
    """Return one view of the journal as it is now.

    Raises:
        LockTimeout: Another thread of this process is at work on the study, and may itself wait.
    """
    mutex = session.store.journal.mutex
    if not mutex.acquire(blocking=False):
        raise LockTimeout(f"Another thread is at work on {session!r}.")
    try:
        return session.results()
    finally:
        mutex.release()


def _shown(session: Session, found: Results) -> str:
    total = found.size * found.steps
    facts: dict[str, object] = {
        "study": session.path or "in memory",
        "optimizer": session.config.optimizer.describe()["name"],
        "progress": f"{share(found)}, mode {found.mode}",
        "members": found.size,
        "": _html.bar(found.finished, total),
        "running": len(found.running) or None,
        "failed": found.failed or None,
    }
    try:
        best = found.best
    except NoResult:
        return _html.page("Study", {**facts, "best": result(None)})
    values = _html.curve(interval.value for interval in found.schedule())
    facts |= {
        "best": result(best),
        "its values by age": values or None,
    }
    return _html.page("Study", facts, _html.params(best.params))
