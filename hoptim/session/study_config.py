"""What makes a study this very study: from a user's arguments to plain JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, NoReturn

from hoptim._arguments import check_whole, plain, sign_of
from hoptim.errors import ArgumentError, HoptimError, OptimizerError, StudyDamaged
from hoptim.optimizers.asha import ASHA
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.fixed import Fixed
from hoptim.optimizers.initiator import Initiator
from hoptim.optimizers.multifrequency import MultiFrequency
from hoptim.optimizers.patient import Patient
from hoptim.optimizers.random_search import RandomSearch
from hoptim.optimizers.romul import ROMUL
from hoptim.optimizers.truncation import TruncationSelection
from hoptim.space.dimensions import Dimension
from hoptim.space.space import Space

_OURS = (ROMUL, Initiator, TruncationSelection, MultiFrequency, Patient, RandomSearch, ASHA, Fixed)
_BUILT_IN: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in _OURS}
_MOST_MEMBERS = 1_000_000  # more is a slip, or a hand at work in study.json


class StudyConfig(NamedTuple):
    """What must be the same whenever a study is opened.

    Attributes:
        space: The hyperparameters.
        optimizer: Who decides.
        size: Number of members.
        mode: "min" or "max".
        seed: 0 or more.
        start: Known first configurations of the first members, as `Space.record` gives them.
    """

    space: Space
    optimizer: Optimizer
    size: int
    mode: str
    seed: int
    start: Sequence[Mapping[str, Any]]

    @property
    def sign(self) -> int:
        """Return 1 if lower values are better, -1 if higher ones are."""
        return sign_of(self.mode)

    def to_json(self) -> dict[str, Any]:
        """As it is recorded; plain JSON."""
        own = {"space": self.space.to_json(), "optimizer": self.optimizer.describe()}
        rest = {"size": self.size, "mode": self.mode, "seed": self.seed, "start": list(self.start)}
        found: dict[str, Any] = plain({**own, **rest}, "The settings")
        return found


def checked(
    space: Mapping[str, Dimension] | Space,
    optimizer: Optimizer | None,
    size: int,
    mode: str,
    seed: int,
    start: Sequence[Mapping[str, Any]] | None,
) -> StudyConfig:
    """A user's arguments, as `hoptim.Study` documents them; raises as its documentation says."""
    space = space_of(space)
    optimizer = ROMUL() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"optimizer must be an Optimizer such as hoptim.ROMUL(), found {optimizer!r}.")
    check_whole("size", size, 1)
    check_whole("seed", seed, 0)
    if size > _MOST_MEMBERS:
        raise ArgumentError(f"size must be at most {_MOST_MEMBERS}, found {size}.")
    sign_of(mode)  # raises if it is neither
    entries = [] if start is None else list(start)
    if len(entries) > size:
        raise ArgumentError(f"start has {len(entries)} entries for {size} members.")
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise ArgumentError(f"start must be a list of mappings from name to value, found {entry!r}.")
    optimizer.check_space(space)
    return StudyConfig(
        space, optimizer, int(size), mode, int(seed), [space.record(entry) for entry in entries]
    )


def recorded(found: Mapping[str, Any], space: Space | None, optimizer: Optimizer | None) -> StudyConfig:
    """What a study's settings say.

    Args:
        found: As `StudyConfig.to_json` gives it.
        space: The caller's, equal to the recorded one but with the objects behind its names.
        optimizer: The caller's; None takes the recorded one if it is part of hoptim.

    Raises:
        StudyDamaged: No settings that hoptim wrote.
    """
    try:
        there = Space.from_json(found["space"])
        if optimizer is None:
            optimizer = _built_in(**found["optimizer"])
        # The record's order of names is the order of coordinates, whatever order the caller uses.
        dimensions = (space or there).dimensions
        ordered = Space({name: dimensions[name] for name in there.dimensions})
        rest = checked(ordered, optimizer, found["size"], found["mode"], found["seed"], found["start"])
        return rest._replace(start=list(found["start"]))
    except (HoptimError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StudyDamaged(
            f"The settings in study.json are none that this hoptim wrote: {type(error).__name__}: {error}"
        ) from error


def space_of(space: Mapping[str, Dimension] | Space) -> Space:
    """A space, however the user gave it."""
    return space if isinstance(space, Space) else Space(space)


def _built_in(name: str, **settings: Any) -> Optimizer:
    kind = _BUILT_IN.get(name)
    if kind is None or settings.keys() != {f.name for f in fields(kind)}:  # type: ignore[arg-type]
        return _Absent(name, settings)  # a user's may have the name of one of ours
    if isinstance(within := settings.get("optimizer"), Mapping):
        settings["optimizer"] = _built_in(**within)
    return kind(**settings)


class _Absent(Optimizer):
    """Stands in for a user's optimizer, which is never imported from a directory."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self._name, self._settings = name, settings

    def describe(self) -> dict[str, Any]:
        return {"name": self._name, **self._settings}

    def propose(self, view: View, member: int, rng: Any) -> Proposal:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise OptimizerError(
            f"This study's optimizer {self._name!r} is not part of hoptim, so it can be read but not "
            "asked. Pass it: hoptim.load(path, optimizer=...)."
        )
