"""What makes a study this very study: from a user's arguments to plain JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, NoReturn

from hoptim._arguments import MOST_MEMBERS, plain, seed_of, settings_before, sign_of, whole_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, HoptimError, OptimizerError, StudyDamaged
from hoptim.optimizers.asha import ASHA
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.fixed import Fixed
from hoptim.optimizers.initiator import Initiator
from hoptim.optimizers.mixed_horizon import MixedHorizon
from hoptim.optimizers.multifrequency import MultiFrequency
from hoptim.optimizers.patient import Patient
from hoptim.optimizers.pb2 import PB2
from hoptim.optimizers.random_search import RandomSearch
from hoptim.optimizers.romul import ROMUL
from hoptim.optimizers.truncation import TruncationSelection
from hoptim.space.space import Space
from hoptim.start import Start
from hoptim.store.beginning import Beginning
from hoptim.store.differences import require_same

_OURS = (
    ROMUL, Initiator, TruncationSelection, MultiFrequency, Patient, MixedHorizon, PB2, RandomSearch, ASHA,
    Fixed,
)  # fmt: skip
_BUILT_IN: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in _OURS}


class StudyArguments(NamedTuple):
    """Arguments of `hoptim.Study` that make it this study, as the user gave them.

    Attributes:
        space: Hyperparameters by name.
        optimizer: Search algorithm; None takes the recorded one, `MixedHorizon()` for a new study.
        size: Number of members.
        mode: "min" or "max".
        seed: Seed, 0 or more.
        start: First configurations of the first members; None takes the recorded ones.
    """

    space: Mapping[str, Any] | Space
    optimizer: Optimizer | None
    size: int
    mode: str
    seed: int
    start: Sequence[Mapping[str, Any] | Start] | None


class StudyConfig(NamedTuple):
    """What must be the same whenever a study is opened.

    Attributes:
        space: Hyperparameters.
        optimizer: Search algorithm.
        size: Number of members.
        mode: "min" or "max".
        seed: Seed, 0 or more.
        start: First configurations of the first members, as `Space.record` gives them.
        ages: Ages of the checkpoints that the same members begin with, None for fresh weights; empty if all
            do.
        beginnings: These checkpoints where this call named them; not recorded.
    """

    space: Space
    optimizer: Optimizer
    size: int
    mode: str
    seed: int
    start: Sequence[Mapping[str, Any]]
    ages: Sequence[int | None] = ()
    beginnings: Sequence[Beginning] = ()

    @property
    def sign(self) -> int:
        """Return 1 if lower values are better, -1 if higher ones are."""
        return sign_of(self.mode)

    @classmethod
    def of(cls, arguments: StudyArguments, recorded: Mapping[str, Any] | None = None) -> StudyConfig:
        """Return a user's arguments, checked.

        Args:
            arguments: Arguments of `hoptim.Study`.
            recorded: Settings of the study that is there, None for a new one.

        Raises:
            ArgumentError, OptimizerError: Same causes as `hoptim.Study`.
        """
        space, optimizer, size, mode, seed, start = arguments
        space = space_of(space)
        if optimizer is None:
            optimizer = MixedHorizon() if recorded is None else _read(recorded, None, None).optimizer
        _check_optimizer(optimizer)
        size, seed = whole_of("size", size, 1, MOST_MEMBERS), seed_of(seed)
        sign_of(mode)  # raises for any other mode
        entries = _entries(start)
        if len(entries) > size:
            raise ArgumentError(f"start has {len(entries)} entries for {size} members.")
        optimizer.check_space(space)
        first = [space.record_start(each.params if isinstance(each, Start) else each) for each in entries]
        given = {member: each for member, each in enumerate(entries) if isinstance(each, Start)}
        beginnings = [Beginning(member, str(each.checkpoint), each.age) for member, each in given.items()]
        ages = [given[i].age if i in given else None for i in range(len(entries))] if given else []
        if start is None and recorded is not None:
            first, ages = recorded.get("start", []), recorded.get("start_ages", [])
        return cls(space, optimizer, size, mode, seed, first, ages, beginnings)

    @classmethod
    def reopened(
        cls, path: str, recorded: Mapping[str, Any], space: Space | None, optimizer: Optimizer | None
    ) -> StudyConfig:
        """Return the settings of a study that is there.

        Args:
            path: Path or URL of the study, for messages.
            recorded: Settings as `to_json` gave them.
            space: The caller's; None takes the recorded one, without the objects behind its names.
            optimizer: The caller's; None takes the recorded one if it is part of hoptim.

        Raises:
            StudyDamaged: Settings that hoptim did not write.
            StudyMismatch: The caller's space or optimizer is not the recorded one.
        """
        if optimizer is not None:
            _check_optimizer(optimizer)
        found = _filled(recorded, optimizer)
        wanted = dict(found)
        if space is not None:
            wanted["space"] = space.to_json()
        if optimizer is not None:
            wanted["optimizer"] = optimizer.describe()
        require_same(path, found, plain(wanted, "The settings"))
        return _read(recorded, space, optimizer)

    def matched(self, path: str, recorded: Mapping[str, Any]) -> StudyConfig:
        """Return the recorded settings with this one's objects.

        Raises:
            StudyMismatch: They differ; the message lists each difference.
            StudyDamaged: Settings that hoptim did not write.
        """
        require_same(path, _filled(recorded, self.optimizer), self.to_json())
        return _read(recorded, self.space, self.optimizer)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON, as they are recorded."""
        own = {"space": self.space.to_json(), "optimizer": self.optimizer.describe()}
        rest = {"size": self.size, "mode": self.mode, "seed": self.seed, "start": list(self.start)}
        ages = {"start_ages": list(self.ages)} if self.ages else {}
        found: dict[str, Any] = plain({**own, **rest, **ages}, "The settings")
        return found


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer must be an Optimizer such as hoptim.ROMUL(), found {shown(optimizer)}."
        )


def _entries(start: Any) -> list[Mapping[str, Any] | Start]:
    """Return the first configurations that a user gave as a list, which is read more than once."""
    if start is None:
        return []
    try:
        once, entries = iter(start) is start, list(start)
    except Exception as error:  # an object's own code may raise anything
        raise _no_list(start) from error
    if once:
        raise _no_list(start)
    for entry in entries:
        if not isinstance(entry, (Mapping, Start)):
            raise _no_list(entry)
    return entries


def _no_list(found: Any) -> ArgumentError:
    return ArgumentError(f"start must be a list of mappings from name to value, found {shown(found)}.")


def _read(recorded: Mapping[str, Any], space: Space | None, optimizer: Optimizer | None) -> StudyConfig:
    """Return recorded settings as objects, with the caller's space and optimizer where given."""
    try:
        there = Space.from_json(recorded["space"])
        if optimizer is None:
            optimizer = _built_in(**recorded["optimizer"])
        # The record's order of names is the order of coordinates, whatever order the caller uses.
        ordered = there if space is None else space.arranged_like(there)
        arguments = StudyArguments(
            ordered, optimizer, recorded["size"], recorded["mode"], recorded["seed"], recorded["start"]
        )
        ages = list(recorded.get("start_ages", ()))
        return StudyConfig.of(arguments)._replace(start=list(recorded["start"]), ages=ages)
    except (HoptimError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StudyDamaged(
            f"The settings in study.json are none that this hoptim wrote: {type(error).__name__}: {error}"
        ) from error


def _filled(recorded: Mapping[str, Any], optimizer: Optimizer | None) -> dict[str, Any]:
    """Return recorded settings with those that a later version added, as they were before."""
    found = dict(recorded)
    with suppress(
        HoptimError, KeyError, TypeError, ValueError, AttributeError
    ):  # what is damaged is found when it is read
        found["space"] = Space.from_json(recorded["space"]).to_json()
    with suppress(KeyError, TypeError, AttributeError):
        if optimizer is not None:
            found["optimizer"] = _filled_optimizer(recorded["optimizer"], optimizer)
    return found


def _filled_optimizer(recorded: Mapping[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    kind: type = type(optimizer)
    if recorded.get("name") != kind.__name__ or not is_dataclass(kind):
        return dict(recorded)
    found = {**settings_before(kind), **recorded}
    within = {name: getattr(optimizer, name, None) for name in found}
    nested = {
        name: _filled_optimizer(found[name], inner)
        for name, inner in within.items()
        if isinstance(inner, Optimizer) and isinstance(found[name], Mapping)
    }
    return {**found, **nested}


def space_of(space: Mapping[str, Any] | Space) -> Space:
    """Return a space, however the user gave it."""
    return space if isinstance(space, Space) else Space(space)


def _built_in(name: str, **settings: Any) -> Optimizer:
    kind = _BUILT_IN.get(name)
    whole = settings if kind is None else {**settings_before(kind), **settings}
    if kind is None or whole.keys() != {f.name for f in fields(kind)}:  # type: ignore[arg-type]
        return _Absent(name, settings)  # a user's may have the name of one of ours
    settings = whole
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
