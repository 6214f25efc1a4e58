"""Nevergrad's optimizers through `ask` and `tell`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nevergrad as ng
import numpy as np

import hoptim
from peers.task import Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Try constants one after another, each told before the next ask, beginning with the first start."""
    first = work.starts[0]
    space = ng.p.Dict(**{name: _parameter(dim, first[name]) for name, dim in work.problem.space.items()})
    space.random_state = np.random.RandomState(work.seed)
    optimizer = ng.optimizers.registry[arguments["optimizer"]](space, budget=work.tries)
    if arguments["optimizer"] != "CMA":  # it begins at `init`; a foreign point spoils its first generation
        optimizer.suggest(first)
    for _ in range(work.tries):
        candidate = optimizer.ask()
        optimizer.tell(candidate, work.constant(candidate.value))


def _parameter(dim: hoptim.Dimension, first: Any) -> Any:
    if isinstance(dim, hoptim.Choice):
        return ng.p.Choice(dim.values)
    if isinstance(dim, hoptim.Ordinal):
        return ng.p.TransitionChoice(dim.values)
    kind = ng.p.Log if dim.log else ng.p.Scalar  # type: ignore[attr-defined]
    made = kind(init=first, lower=dim.low, upper=dim.high)  # type: ignore[attr-defined]
    return made.set_integer_casting() if isinstance(dim, hoptim.Int) else made


if __name__ == "__main__":
    serve(play, "nevergrad", "cma")
