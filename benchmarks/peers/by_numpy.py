"""Random search: the members' first hyperparameters, then draws; each trained to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import hoptim
from peers.task import Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Train constants to the end, as many as the budget allows."""
    space, rng = hoptim.Space(work.problem.space), np.random.default_rng(work.seed)
    same = all(start == work.starts[0] for start in work.starts)  # one of them is enough
    for params in work.starts[:1] if same else work.starts:
        work.constant(params)
    while work.left:
        work.constant(space.decode(space.draw(rng)))


if __name__ == "__main__":
    serve(play)
