"""How a study stands, for people who look at it while it runs."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim.analysis.lineage import EARLY, collapse
from hoptim.analysis.ranking import best
from hoptim.space.space import Space
from hoptim.store.liveness import Watch
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial

if TYPE_CHECKING:
    from hoptim.study import Study


@dataclass(frozen=True)
class Running:
    """A trial that somebody holds.

    Attributes:
        number: The trial.
        member: Its member.
        step: That member's own count.
        attempt: 1 for the first try.
        interruptions: How often a worker was lost or let go of it.
        worker: Who holds it.
        host: The machine.
        pid: The process there.
        seconds: For how long it has been held.
        silent: Seconds since the worker's last sign of life; None where there is none to be seen.
        lost: Whether it is dead, or silent for longer than its lease, so that the trial will be taken back.
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
        path: Its directory, None in memory.
        optimizer: Name of its optimizer's class.
        mode: "min" or "max".
        size: Number of members.
        steps: Trials of each member.
        at: When it was looked at, seconds since 1970.
        done: Whether every member has done its steps.
        finished: Trials that have ended.
        progress: How many each member has ended, `(size,)`.
        best: Best of the members' latest, None before the first finite value.
        best_ever: Best of all.
        running: Trials that somebody holds, by member.
        failed: Trials that failed for good or were told a value that is not finite.
        attempts: Failed attempts, of all trials.
        interruptions: Claims that were released or taken back, of all trials.
        founders: How many members descend from each founder that is left, by its trial's number.
        diversity: By hyperparameter, how far the members' latest lie apart: 1 as in a fresh draw, 0 when
            all are equal.
        bytes: Disk used by `journal`, `checkpoints` and `scratch`; empty in memory.
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
    rate: float | None
    remaining: float | None
    warnings: list[str]

    def to_json(self, space: Space) -> dict[str, Any]:
        """As plain JSON.

        Args:
            space: Of the study; objects behind names are given by their names.
        """
        plain = asdict(replace(self, best=None, best_ever=None))
        return {**plain, "best": _brief(self.best, space), "best_ever": _brief(self.best_ever, space)}


def status(study: Study) -> Status:
    """As `Study.status`."""
    store = study._store
    with store.journal.mutex:
        state = store.refresh()
        latest = [trials[-1] for trials in state.members if trials]
        first = best(latest, study.mode)
        everything = [*state.finished.values(), *state.open.values()]
        running = [_running(trial, store.watch) for trial in state.open.values() if trial.worker]
        rate = _rate(state)
        left = state.size * state.steps - len(state.finished)
        return Status(
            path=study.path, optimizer=study.optimizer.describe()["name"], mode=study.mode, size=state.size,
            steps=state.steps, at=time.time(), done=state.done, finished=len(state.finished),
            progress=[len(trials) for trials in state.members],
            best=None if first is None else study._session.show(first),
            best_ever=None if state.best_ever is None else study._session.show(state.best_ever),
            running=running,
            failed=sum(not trial.finite for trial in state.finished.values()),
            attempts=sum(len(trial.reasons) + (trial.failed is not None) for trial in everything),
            interruptions=sum(trial.interruptions for trial in everything),
            founders=dict(Counter(trial.founder for trial in latest).most_common()),
            diversity=_diversity(study.space, latest),
            bytes={} if study.path is None else _bytes(Path(study.path)),
            rate=rate, remaining=0.0 if state.done else left / rate if rate and running else None,
            warnings=_warnings(state, running),
        )  # fmt: skip


def _running(trial: TrialRecord, watch: Watch | None) -> Running:
    worker, now = str(trial.worker), time.time()
    silent, lease, dead = (None, math.inf, False) if watch is None else watch.sign(worker)
    host, pid, _ = [*worker.rsplit(".", 2), "", ""][:3]
    return Running(
        trial.number, trial.member, trial.step, trial.attempt, trial.interruptions, worker, host, pid,
        max(0.0, now - trial.claimed), silent, dead or (silent or 0) > lease,
    )  # fmt: skip


def _rate(state: State) -> float | None:
    late = [trial.ended for trial in islice(reversed(state.finished.values()), 4 * state.size)]
    times = [ended for ended in late if ended is not None]
    span = times[0] - times[-1] if times else 0
    return (len(times) - 1) / span if span > 0 else None


def _diversity(space: Space, latest: Sequence[TrialRecord]) -> dict[str, float]:
    """Spread of each coordinate against that of a uniform draw."""
    spread = {}
    for i, (name, dim) in enumerate(space.dimensions.items()):
        x = [trial.x[i] for trial in latest]
        if dim.ordered:
            spread[name] = float(np.std(x) * math.sqrt(12)) if x else 0.0
        else:  # the chance that two members differ, Gini and Simpson's index
            kinds = len(dim.to_json()["values"])
            same = sum((count / len(x)) ** 2 for count in Counter(x).values()) if x else 1.0
            spread[name] = (1 - same) / (1 - 1 / kinds) if kinds > 1 else 0.0
    return spread


def collapsed_early(state: State) -> str | None:
    """A sentence when one founder took all in the first steps, else None.

    That it takes all in the end is how population based training works. Without checkpoints there are
    no weights whose diversity could be lost.
    """
    before = int(EARLY * state.steps)
    step = collapse((trial.founder for trial in trials[:before]) for trials in state.members)
    if step is None or state.stateful is False:
        return None
    founder = state.finished[state.members[0][step].founder]
    return (
        f"All {state.size} members descend from trial {founder.number} of member {founder.member} since "
        f"step {step} of {state.steps}: the weights lost their diversity early. A larger population or a "
        "later first exploit (burn_in) keeps more founders."
    )


def _warnings(state: State, running: Sequence[Running]) -> list[str]:
    early = collapsed_early(state)
    said = [] if early is None else [early]
    said += [
        f"Trial {held.number} is held by process {held.pid} on {held.host}, which "
        + ("is dead" if held.silent is None else f"gave no sign of life for {held.silent:.0f} s")
        + "; the next worker that looks takes it back."
        for held in running
        if held.lost
    ]
    if not state.done and not running:
        left = state.size * state.steps - len(state.finished)
        remain = "trial remains" if left == 1 else "trials remain"
        said.append(f"No active workers; {left} {remain}: start a worker to continue.")
    return said


def _bytes(folder: Path) -> dict[str, int]:
    found = {
        "journal": 0,
        "checkpoints": _size(folder / "checkpoints"),
        "scratch": _size(folder / "scratch"),
    }
    with suppress(OSError):
        found["journal"] = (folder / "journal.jsonl").stat().st_size
    return found


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inner, name)).st_size
    return total


def _brief(trial: FinishedTrial | None, space: Space) -> dict[str, Any] | None:
    if trial is None:
        return None
    names = ("number", "member", "step", "age", "value", "seed", "checkpoint")
    return {name: getattr(trial, name) for name in names} | {"params": space.record(trial.params)}
