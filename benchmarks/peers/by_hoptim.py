"""hoptim's optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hoptim
from peers.task import Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Run a synchronous study in memory, as `hoptim.benchmarks.problem.train` does."""
    settings = dict(arguments)
    optimizer = getattr(hoptim, settings.pop("optimizer"))(**settings)
    study = hoptim.Study(
        None, space=work.problem.space, optimizer=optimizer, size=work.size, steps=work.decisions,
        mode="min", seed=work.seed, start=work.starts, synchronous=True,
    )  # fmt: skip
    states: dict[int, Any] = {}
    for trial in study:
        state = work.begin() if trial.parent is None else states[trial.parent]
        states[trial.number], loss = work.train(state, trial.params)
        trial.tell(loss)


if __name__ == "__main__":
    serve(play)
