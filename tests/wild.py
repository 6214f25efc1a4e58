"""Changes of JSON that no version of hoptim would make."""

from __future__ import annotations

import copy
import random
from typing import Any

WILD: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 2**31, 2**63, 2**70, 10**400, 0.5, -1e308, 1e308, "", "x", "nan",
    "inf", "5", "\0", "\ud800", "../../x", "1\n2", [], [0], [0, 1], [[]], {}, {"x": 1}, {"x": "a", "k": []},
    [0.5, "nan"], {"name": "0.1"}, {"name": "../../x", "bytes": 1, "files": 1},
]  # fmt: skip
ADDED = ["saved", "memo", "origin", "died", "drops", "retain", "why", "metrics", "checkpoint", "x"]


def change(found: Any, rng: random.Random) -> None:
    """Change, remove or add one entry of nested JSON."""
    while True:
        keys: list[Any] = list(found) if isinstance(found, dict) else list(range(len(found)))
        if not keys or rng.random() < 0.05:
            if isinstance(found, dict):
                found[rng.choice(ADDED)] = _wild(rng)
            return
        key = rng.choice(keys)
        if not isinstance(found[key], dict | list) or rng.random() < 0.3:
            break
        found = found[key]
    if rng.random() < 0.2:
        del found[key]
    elif type(found[key]) in (int, float) and rng.random() < 0.4:
        found[key] = found[key] + rng.choice([-1, 1, 2])
    else:
        found[key] = _wild(rng)


def _wild(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(WILD))
