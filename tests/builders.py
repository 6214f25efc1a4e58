"""What many tests begin with."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import hoptim
from hoptim.store import hot_state, line_format, snapshot
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from tests import reader

ROOT = Path(__file__).parent.parent


def space() -> dict[str, hoptim.Dimension]:
    """Two hyperparameters."""
    return {"x": hoptim.Float(0.0, 1.0), "k": hoptim.Int(1, 9)}


def study(path: Any = None, **changes: Any) -> hoptim.Study:
    """A small study."""
    arguments: dict[str, Any] = {"space": space(), "size": 4, "steps": 5, "mode": "min", "seed": 0}
    return hoptim.Study(path, **{**arguments, **changes})


def loss(trial: hoptim.Trial) -> float:
    """A value that depends on the hyperparameters and the seed."""
    return float((trial.params["x"] - 0.3) ** 2 + trial.params["k"] / 10 + (trial.seed % 7) / 100)


def saving(text: str) -> Callable[[str], object]:
    """A `save` that writes a text."""
    return lambda path: Path(path).write_text(text)


def train(study: hoptim.Study, saves: bool = False) -> hoptim.Study:
    """Run a study to its end."""
    for trial in study:
        assert trial.checkpoint is None or trial.parent is not None
        trial.tell(loss(trial), save=saving(str(trial.number)) if saves else None)
    return study


def advance(study: hoptim.Study) -> None:
    """Let each member do one more step, with a checkpoint."""
    for _ in range(study.size):
        trial = study.ask(timeout=0)
        assert trial is not None
        trial.tell(trial.params["x"], save=saving(str(trial.number)))


def records(path: Path | str) -> list[dict[str, Any]]:
    """A study's records, read independently."""
    return list(reader.read(Path(path) / "journal.jsonl"))


def stripped(path: Path | str) -> list[dict[str, Any]]:
    """Records without what differs between equal runs: ids, times, names of workers and checkpoints."""
    own = ("id", "time", "worker", "uuid", "study", "checkpoint")
    return [{k: v for k, v in record.items() if k not in own} for record in records(path)]


def named(number: int, token: int) -> dict[str, Any]:
    """The field with which a tell names its checkpoint."""
    return {"checkpoint": {"name": f"{number}.{token}-0123abcd", "size": 3, "files": 1}}


def recompute(path: Path | str, journal: Path | None = None) -> int:
    """Check each proposal of a study's journal against its prefix alone; how many there were."""
    study = hoptim.load(path)
    assert study._session.backend is not None
    found = study._session.backend.read()
    assert found is not None
    names = list(study.space.dimensions)
    state = State(StudyShape(study.size, found.steps, study.seed, study._session.config.sign, names))
    proposals = 0
    for record in records(path) if journal is None else reader.read(journal):
        if record["op"] == "ask" and "member" in record:
            again = study._session.propose(state, record["member"], record["trial"])
            assert {name: record.get(name) for name in again} == again
            proposals += 1
        state.apply(record)
    return proposals


def described(state: State) -> dict[str, str]:
    """Everything that a state says, its whole past included; nan is equal to itself in it."""
    plain = (
        "format", "n", "time", "steps", "count", "counts", "effort", "stateful", "stopped", "saved", "size",
        "seed", "sign", "done", "slowest",
    )  # fmt: skip
    sets = ("lost", "gone", "retained")
    finished = list(state.finished.values())
    for trial in finished:  # there is one object of each
        assert state.members[trial.member][trial.step] is state.finished[trial.number] is trial
    found: dict[str, object] = {
        **{name: getattr(state, name) for name in plain},
        **{name: sorted(getattr(state, name)) for name in sets},
        "open": list(state.open.values()),
        "held": {worker: state.open.held_by(worker) for worker in sorted(state.open.workers)},
        "numbered": [state.open.numbered(number) for number in range(state.count)],
        "members": [list(trials) for trials in state.members],
        "finished": finished,
        "best_ever": state.best_ever and state.best_ever.number,
        "due": [state.due(lead, prefer) for lead in range(3) for prefer in (None, 0, state.size - 1)],
        "level": [[t.number for t in state.level(step)] for step in range(-1, state.steps)],
        "unreferenced": state.unreferenced(None),
    }
    return {name: repr(value) for name, value in found.items()}


def snapshot_often(patch: pytest.MonkeyPatch, records: int) -> None:
    """Let this process write a snapshot every so many records, with as little in it as there may be."""
    for module, name, value in (
        (snapshot, "EVERY", records),
        (snapshot, "SHARE", 0),
        (hot_state, "LATEST", 1),
    ):
        patch.setattr(module, name, value)


def append(path: Path | str, record: dict[str, Any]) -> None:
    """Forge a record behind the last one of a journal, with a valid line."""
    journal = Path(path) / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    full = {"n": len(lines), "id": "f" * 12, "time": 0.0, **record}
    journal.write_bytes(b"".join(lines) + line_format.encode(full, lines[-1][:8]))


def run(script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A Python process that runs a script of this folder."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def chaos(*flags: str, **sizes: object) -> dict[str, Any]:
    """What `tests/chaos.py` reports with some options, which is that nothing is wrong."""
    words = [word for name, size in sizes.items() for word in (f"--{name}", size)]
    out, errors = run("chaos.py", *flags, *words).communicate(timeout=280)
    report: dict[str, Any] = json.loads(out)
    assert report["wrong"] == [], errors
    return report


def redirected(words: Iterable[object], to: str = "", **how: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a shell, with its standard streams as redirections say, or a descriptor."""
    line = shlex.join([sys.executable, "-W", "error", "-m", "hoptim", *map(str, words)])
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run(
        ["sh", "-c", f"exec {line} {to}"], cwd=ROOT, text=True, check=False, timeout=120, **how
    )


def finish(workers: Iterable[subprocess.Popen[str]]) -> None:
    """Wait for processes, all of which must end well."""
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as a condition holds; fail after some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {condition}"
        time.sleep(0.005)


def acknowledged(path: Path) -> list[tuple[int, float]]:
    """Trial and value of each tell that a worker of `tests/train.py` saw acknowledged."""
    lines = "".join(file.read_text() for file in path.iterdir()).splitlines()
    return [tuple(json.loads(line)) for line in lines]
