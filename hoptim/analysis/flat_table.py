"""Finished trials and schedules as flat rows: one column for each hyperparameter and each metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hoptim.space.space import Space
from hoptim.trial import FinishedTrial

FIELDS = (  # in the order of columns
    "number", "member", "step", "age", "parent", "origin", "value", "checkpoint", "seed", "attempt",
    "interruptions", "failed", "worker", "asked", "claimed", "ended",
)  # fmt: skip


def header(trials: Iterable[FinishedTrial], space: Space) -> list[str]:
    """Return the names of the columns: a trial's own fields, then `params.NAME`, then `metrics.NAME`."""
    metrics = dict.fromkeys(name for trial in trials for name in flat("metrics", trial.metrics))
    return [*FIELDS, *(f"params.{name}" for name in space.dimensions), *metrics]


def row(trial: FinishedTrial, space: Space) -> dict[str, Any]:
    """Return a finished trial as cells by column; a named object is given by its name."""
    own = {name: getattr(trial, name) for name in FIELDS}
    own |= {} if trial.valued else {"value": None}
    return {**own, **flat("params", space.record(trial.params)), **flat("metrics", trial.metrics)}


def flat(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted names, with a name for each value of a mapping within.

    Args:
        kind: First part of all names.
        values: JSON values by name.

    >>> flat("metrics", {"loss": 0.5, "recall": {"cat": 0.9, "dog": 0.7}})
    {'metrics.loss': 0.5, 'metrics.recall.cat': 0.9, 'metrics.recall.dog': 0.7}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, Mapping) and value
        found |= flat(f"{kind}.{name}", value) if inner else {f"{kind}.{name}": value}
    return found


def cell(value: Any) -> Any:
    """Return a scalar as it is; a list or an empty mapping, which no cell of a table holds, as JSON."""
    return json.dumps(value) if isinstance(value, (list, tuple, dict)) else value
