"""Status of a study, for people who look at it while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hoptim import _html
from hoptim._text import counted
from hoptim.analysis.headline import result, share
from hoptim.space.space import Space
from hoptim.stopping import Stopped
from hoptim.trial import FinishedTrial

NO_WORKERS = "No active workers"  # a warning begins so
_UNREAD = {
    "checkpoint": "what was trained is not the parent's weights. Load it unless trial.continues.",
    "params": "what was trained had other hyperparameters. Apply them.",
}


@dataclass(frozen=True)
class Running:
    """A trial that a worker holds.

    Attributes:
        number: Number of the trial.
        member: Member of the trial.
        step: Count of the member's own trials before it.
        attempt: 1 for the first try.
        interruptions: Claims that were released or lost with their worker.
        worker: Name of the worker.
        host: Machine of the worker.
        pid: Process number there.
        seconds: Seconds since it was claimed.
        silent: Seconds since the worker's last heartbeat; None if there is no heartbeat.
        lost: True if the worker is dead, or silent for longer than its lease (ten leases if its process
            lives on this host), so that the trial will be taken back.
    """

    number: int
    member: int
    step: int
    attempt: int
    interruptions: int
    worker: str
    host: str
    pid: str
    seconds: float
    silent: float | None
    lost: bool


@dataclass(frozen=True)
class Status:
    """One look at a study.

    Attributes:
        path: Directory of the study, None in memory.
        optimizer: Class name of the search algorithm.
        mode: "min" or "max".
        size: Number of members.
        steps: Trials of each member.
        at: Time of the look, seconds since 1970.
        done: True if every member has done its steps.
        stopped: Stop of the study; None if there was none, or the study was resumed.
        finished: Number of trials that have ended.
        progress: Number of trials that each member has ended, `(size,)`.
        best: Best of the members' latest, None before the first finite value.
        best_ever: Best of all.
        running: Trials that a worker holds, by member.
        failed: Number of trials that failed for good or were told a value that is not finite.
        attempts: Number of failed attempts, of all trials.
        interruptions: Number of claims that were released or taken back, of all trials.
        founders: Number of members that descend from each founder that is left, by its trial's number.
        diversity: Spread of the members' latest by hyperparameter: 1 as in a fresh draw, 0 when all are
            equal.
        bytes: Disk used by `journal`, `checkpoints` and `scratch`; empty in memory.
        unremoved: Number of dropped checkpoints that are still on disk, as `checkpoints/.trash-*`.
        rate: Trials that ended per second of late, None before the second.
        remaining: Seconds to the end at that rate, None where unknown.
        warnings: Sentences on what deserves a look.
    """

    path: str | None
    optimizer: str
    mode: str
    size: int
    steps: int
    at: float
    done: bool
    stopped: Stopped | None
    finished: int
    progress: list[int]
    best: FinishedTrial | None
    best_ever: FinishedTrial | None
    running: list[Running]
    failed: int
    attempts: int
    interruptions: int
    founders: dict[int, int]
    diversity: dict[str, float]
    bytes: dict[str, int]
    unremoved: int
    rate: float | None
    remaining: float | None
    warnings: list[str]

    def to_json(self, space: Space) -> dict[str, Any]:
        """Return the status as plain JSON.

        Args:
            space: Hyperparameters of the study; objects behind names are given by their names.
        """
        plain = asdict(replace(self, best=None, best_ever=None))
        return {**plain, "best": _brief(self.best, space), "best_ever": _brief(self.best_ever, space)}

    @property
    def ended(self) -> bool:
        """Return True if no more trials are to come: all is done, or it stopped and no worker has one."""
        return self.done or (self.stopped is not None and all(each.lost for each in self.running))

    @_html.quiet
    def _repr_html_(self) -> str:
        total = self.size * self.steps
        facts = {
            "study": self.path or "in memory",
            "optimizer": self.optimizer,
            "progress": f"{share(self)}, mode {self.mode}",
            "members": self.size,
            "": _html.bar(self.finished, total),
            "best": result(self.best),
            "failures": f"{counted(self.failed, 'trial')}, {counted(self.attempts, 'attempt')}",
            "founders left": len(self.founders),
        }
        rows = [(held.number, held.member, held.step, held.host, held.pid) for held in self.running]
        running = _html.table(("running", "member", "step", "host", "process"), rows)
        return _html.page("Status", facts, running, _html.table((), [(said,) for said in self.warnings]))


def brief(status: Status) -> dict[str, Any]:
    """Return what a list of studies shows of one, as plain JSON."""
    return {
        "finished": status.finished,
        "trials": status.size * status.steps,
        "done": status.done,
        "best": None if status.best is None else status.best.value,  # finite
        "mode": status.mode,
        "workers": len({held.worker for held in status.running if not held.lost}),
        "failed": status.failed,
    }


def warnings(
    collapsed: str | None, unread: Mapping[str, int], running: Sequence[Running], left: int, unremoved: int
) -> list[str]:
    """Return sentences on what deserves a look.

    Args:
        collapsed: Sentence on an early loss of diversity, None without one.
        unread: Number of trials whose `checkpoint`, or whose `params`, were never read.
        running: Trials that a worker holds.
        left: Trials that are still to be trained; none when the study has stopped.
        unremoved: Dropped checkpoints that are still on disk.
    """
    said = [] if collapsed is None else [collapsed]
    said += [
        f"{counted(unread[name], 'trial')} told though trial.{name} was never read: {means}"
        for name, means in _UNREAD.items()
        if unread[name]
    ]
    said += [
        f"Trial {held.number} is held by process {held.pid} on {held.host}, which "
        + ("is dead" if held.silent is None else f"gave no heartbeat for {held.silent:.0f} s")
        + "; the next worker that looks takes it back."
        for held in running
        if held.lost
    ]
    if left and not running:
        remain = "trial remains" if left == 1 else "trials remain"
        said.append(f"{NO_WORKERS}; {left} {remain}: start a worker to continue.")
    if unremoved:
        said.append(
            f"{counted(unremoved, 'dropped checkpoint')} not removed yet, as checkpoints/.trash-*: the "
            "next worker that starts tries again. What stays belongs to another user, who may remove it."
        )
    return said


def _brief(trial: FinishedTrial | None, space: Space) -> dict[str, Any] | None:
    if trial is None:
        return None
    names = ("number", "member", "step", "age", "value", "seed", "checkpoint")
    return {name: getattr(trial, name) for name in names} | {"params": space.plain(trial.params)}
