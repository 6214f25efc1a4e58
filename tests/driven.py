"""A journal whose records are drawn: every kind of them, in any order that a study allows."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hoptim._arguments import json_metric
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.journal import FileJournal
from hoptim.store.shape import StudyShape
from hoptim.store.snapshot import Snapshots
from hoptim.store.state import State
from hoptim.store.transactions import Transactions
from hoptim.store.trial_record import TrialRecord
from tests.builders import named

UUID = "0123456789abcdef0123456789abcdef"
SHAPE = StudyShape(3, 6, 0, 1, ("x", "k"))
Record = dict[str, Any]


def begun(folder: Path, format: int) -> FileJournal:
    """A journal with record 0."""
    (folder / "journal.jsonl").touch()
    journal = FileJournal(folder, UUID)
    with journal.hold(None):
        journal.append([{"op": "create", "format": format, "uuid": UUID}])
    return journal


def opened(folder: Path, snapshots: bool = True) -> Transactions:
    """What a process has that opens the study of a folder."""
    journal = FileJournal(folder, UUID)
    checkpoints = Checkpoints(folder, UUID)
    return Transactions(
        journal, SHAPE, checkpoints, None, Snapshots(journal, UUID, SHAPE) if snapshots else None, 1
    )


def drive(folder: Path, rng: random.Random) -> Iterator[Transactions]:
    """Append drawn records to a journal, and give the state after each append."""
    worker = opened(folder)
    worker.refresh()
    while True:
        with worker.begin(None) as transaction:
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                if transaction.state.done:
                    break
                transaction.add(**_drawn(transaction.state, rng))
                if transaction.records[-1]["op"] != "drop":
                    unreferenced = transaction.state.unreferenced(None)
                    transaction.drop([number for number in unreferenced if rng.random() < 0.8])
        yield worker
        if worker.state.done:
            return


def _drawn(state: State, rng: random.Random) -> Record:
    held = [trial for trial in state.open.values() if trial.worker is not None]
    idle = [trial for trial in state.open.values() if trial.worker is None]
    due = [m for m, t in enumerate(state.members) if m not in state.open and len(t) < state.steps]
    draws: list[Callable[[], Record]] = []
    if due:
        draws += [lambda: _proposal(state, rng.choice(due), rng)] * 6
    if idle:
        draws += [lambda: {"op": "ask", "trial": rng.choice(idle).number, "worker": f"w.{state.n:x}.1"}] * 2
    if held:
        draws += [lambda: _ending(state, rng.choice(held), rng)] * 6
    if state.steps < 12:
        draws.append(lambda: {"op": "extend", "steps": state.steps + 1})
    if state.format > 1:
        draws.append(lambda: {"op": "stop", "why": rng.choice(("enough", None))})
        if state.saved and rng.random() < 0.5:
            draws.append(lambda: {"op": "drop", "drops": [rng.choice(list(state.saved))]})
    return rng.choice(draws)()


def _proposal(state: State, member: int, rng: random.Random) -> Record:
    parents = [
        n for n, t in state.finished.items() if t.healthy and (not state.stateful or n in state.saved)
    ]
    x, k = rng.random(), rng.randrange(1, 10)
    record = {
        "op": "ask", "trial": state.count, "member": member, "step": len(state.members[member]),
        "parent": rng.choice([None, *parents]), "params": {"x": x, "k": k}, "x": [x, k / 9],
        "worker": f"w.{rng.randrange(256):x}.1",
    }  # fmt: skip
    more = {"memo": {"sigma": rng.random(), "kept": [None, "é"]}, "retain": True}
    if record["parent"] is None:
        more |= {"origin": rng.randrange(9), "age": rng.randrange(9), "seed": rng.randrange(2**40)}
        more = more if rng.random() < 0.3 else {"memo": rng.random()}
    return record | (more if rng.random() < 0.4 else {})


def _ending(state: State, trial: TrialRecord, rng: random.Random) -> Record:
    claim = {"trial": trial.number, "token": trial.token}
    way, final = rng.random(), rng.random() < 0.3
    if way < 0.1:
        return {"op": "fail", **claim, "why": "drawn", "final": final, "id": f"f{state.n}"}
    if way < 0.2:
        return {"op": "release", **claim} | ({"unused": True} if final else {})
    if way < 0.3:
        return {"op": "reclaim", **claim, "final": final, "died": state.format > 1 and rng.random() < 0.5}
    value = rng.choice((rng.random(),) * 8 + (math.nan, math.inf) + (None,) * 3 * (state.format > 1))
    record: Record = {"op": "tell", **claim, "value": json_metric(value), "id": f"t{state.n}"}
    if rng.random() < 0.5:
        record["metrics"] = {"a": rng.random(), "b": "nan"} | ({"c": [1, "é"]} if state.format > 1 else {})
    stateful = state.stateful if state.stateful is not None else rng.random() < 0.8
    if stateful and (value is None or math.isfinite(value)):
        record |= {"saved": True} if state.format == 1 else named(trial.number, trial.token)
    return record
