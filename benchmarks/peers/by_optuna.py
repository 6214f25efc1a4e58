"""Optuna's samplers through `ask` and `tell`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

import hoptim
from peers.task import Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Try constants one after another, each told before the next ask, beginning with the first start."""
    dims = work.problem.space
    first = {name: _index(dims[name], value) for name, value in work.starts[0].items()}
    settings: dict[str, Any] = {"seed": work.seed}
    if arguments["sampler"] == "CmaEsSampler":
        numbers = [name for name, dim in dims.items() if not isinstance(dim, hoptim.Choice)]
        settings |= {"x0": {name: first[name] for name in numbers}, "warn_independent_sampling": False}
    study = optuna.create_study(sampler=getattr(optuna.samplers, arguments["sampler"])(**settings))
    study.enqueue_trial(first)
    for _ in range(work.tries):
        trial = study.ask()
        study.tell(trial, work.constant({name: _suggest(trial, name, dim) for name, dim in dims.items()}))


def _index(dim: hoptim.Dimension, value: Any) -> Any:
    """Return the index of an ordinal's value, since Optuna has no ordinals; other values unchanged."""
    return list(dim.values).index(value) if isinstance(dim, hoptim.Ordinal) else value


def _suggest(trial: optuna.Trial, name: str, dim: hoptim.Dimension) -> Any:
    if isinstance(dim, hoptim.Choice):
        return trial.suggest_categorical(name, list(dim.values))
    if isinstance(dim, hoptim.Ordinal):
        return dim.values[trial.suggest_int(name, 0, len(dim.values) - 1)]
    suggest = trial.suggest_int if isinstance(dim, hoptim.Int) else trial.suggest_float
    return suggest(name, dim.low, dim.high, log=dim.log)  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve(play, "optuna", "cmaes")
