"""A look at a study while it runs: its results, who trains what, and the disk."""

from __future__ import annotations

import math
import time
from contextlib import suppress

from hoptim.analysis.status import Running, Status, warnings
from hoptim.errors import NoResult
from hoptim.session.results import Results
from hoptim.session.session import Session
from hoptim.store.liveness import Watch
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial


def status(session: Session) -> Status:
    """Return how a study stands; changes nothing."""
    found = session.results()
    running = [_running(record, session.store.watch) for record in found.running]
    left = 0 if found.stopped else found.size * found.steps - found.finished
    backend = session.backend
    unremoved = 0 if backend is None else backend.unremoved()
    return Status(
        path=session.path, optimizer=session.config.optimizer.describe()["name"], mode=found.mode,
        size=found.size, steps=found.steps, at=time.time(), done=found.done, stopped=found.stopped,
        finished=found.finished,
        progress=found.progress, best=_if_any(found, "best"), best_ever=_if_any(found, "best_ever"),
        running=running, failed=found.failed, attempts=found.attempts, interruptions=found.interruptions,
        founders=found.founders, diversity=found.diversity,
        bytes={} if backend is None else backend.sizes(), unremoved=unremoved,
        rate=found.rate, remaining=found.remaining,
        warnings=warnings(found.collapsed, found.unread, running, left, unremoved),
    )  # fmt: skip


def _if_any(results: Results, name: str) -> FinishedTrial | None:
    with suppress(NoResult):
        found: FinishedTrial = getattr(results, name)
        return found
    return None


def _running(record: TrialRecord, watch: Watch | None) -> Running:
    worker, now = str(record.worker), time.time()
    silent, lease, dead = (None, math.inf, False) if watch is None else watch.sign(worker)
    host, pid, _ = [*worker.rsplit(".", 2), "", ""][:3]
    return Running(
        record.number, record.member, record.step, record.attempt, record.interruptions, worker, host, pid,
        max(0.0, now - record.claimed), silent, dead or (silent or 0) > lease,
    )  # fmt: skip
