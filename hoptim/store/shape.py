"""What a study's records must fit: its size, steps, seed, sign and hyperparameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StudyShape:
    """The settings that the fold of a study's records begins with.

    Attributes:
        size: Number of members.
        steps: Trials of each member, until an `extend` record raises it.
        seed: Seed of the study.
        sign: 1 if lower values are better, -1 if higher ones are.
        names: Names of the hyperparameters; None accepts any.
    """

    size: int
    steps: int
    seed: int
    sign: int
    names: Collection[str] | None = None


def names_of(space: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the hyperparameters of a space in study.json, in the order of coordinates.

    Args:
        space: Space, or a part of it: a leaf is an object with a `type`, and no constant.
        name: Dotted name of the part. Default: "", all.
    """
    if not isinstance(space, (dict, list)):
        return
    if isinstance(space, dict) and name and isinstance(space.get("type"), str):
        if space["type"] != "Constant":
            yield name
        return
    for key, inner in space.items() if isinstance(space, dict) else enumerate(space):
        yield from names_of(inner, f"{name}.{key}" if name else str(key))
