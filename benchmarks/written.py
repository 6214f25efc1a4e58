"""Long studies written as if they had been trained: records are encoded without asking and telling."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import hoptim
from hoptim._text import json_number
from hoptim.store import line_format
from hoptim.store.line_format import Record

_PORTION = 10_000  # lines that are written at once
_TRAINED = 1000  # trials
_COPIES = 0.3  # share of trials that copy the weights of another member
_FAILS = 0.001  # share of trials that fail
_BEGAN, _TOOK = 1.7e9, 30.0  # time of the first trial, seconds since 1970, and seconds of each


def write(folder: Path, size: int, steps: int) -> None:
    """Write a study of two hyperparameters whose members have all done their steps.

    The last thousand trials are trained for real, which leaves a snapshot as any worker does.

    Args:
        folder: Directory to make.
        size: Number of members.
        steps: Trials of each member.
    """
    space = hoptim.Space({"lr": hoptim.Float(1e-5, 1.0, log=True), "dropout": hoptim.Float(0.0, 0.9)})
    hoptim.Study(folder, space=space, size=size, steps=steps, mode="min")
    written = max(steps - _TRAINED // size, 0)
    journal = folder / "journal.jsonl"
    previous, n = journal.read_bytes()[:8], 1
    records = _records(space, size, written)
    with journal.open("ab") as file:
        while portion := list(islice(records, _PORTION)):
            lines = []
            for record in portion:
                lines.append(line_format.encode({"n": n, **record}, previous))
                previous, n = lines[-1][:8], n + 1
            file.write(b"".join(lines))
    for trial in hoptim.load(folder):
        trial.tell(1 / (1 + trial.step / 100), metrics={"accuracy": trial.params["dropout"]})


def _records(space: hoptim.Space, size: int, steps: int) -> Iterator[Record]:
    rng = random.Random(0)
    level: list[tuple[float, int | None]] = [(math.inf, None)] * size  # each member's last value and trial
    for step in range(steps):
        best = min(level)
        for member in range(size):
            trial, time = step * size + member, _BEGAN + step * _TOOK
            copies = rng.random() < _COPIES or math.isinf(level[member][0])
            x = [rng.random() for _ in space.dimensions]
            yield {
                "op": "ask", "trial": trial, "member": member, "step": step,
                "parent": (best if copies else level[member])[1], "params": space.names(x), "x": x,
                "memo": {"sigma": 0.1}, "worker": f"host.{member}.0123ab", "time": time,
            }  # fmt: skip
            value = math.inf if rng.random() < _FAILS else (1 + rng.random()) / (1 + step / 100)
            yield {
                "op": "tell", "trial": trial, "token": 2 * trial + 1, "value": json_number(value),
                "metrics": {"accuracy": rng.random()}, "id": f"{trial:08x}", "time": time + _TOOK,
            }  # fmt: skip
            level[member] = value, trial
