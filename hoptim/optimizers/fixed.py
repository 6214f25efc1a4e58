"""A given schedule: plain training, replays, schedules made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hoptim._arguments import plain
from hoptim._text import shown
from hoptim.errors import ArgumentError, OptimizerError, SpaceError
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Row
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


class _Interval(Protocol):
    @property
    def age(self) -> int: ...

    @property
    def params(self) -> Mapping[str, Any]: ...


class _Schedule(Protocol):
    """The part of a `hoptim.Schedule` that is read."""

    @property
    def intervals(self) -> Sequence[_Interval]: ...

    @property
    def space(self) -> Space: ...


@dataclass(frozen=True, repr=False)
class Fixed(Optimizer):
    """One schedule for every member, each with its own seeds.

    The spread of `size` members is then due to the seed alone: that of plain training, or of a schedule
    that a study found. Hyperparameters depend on the age of the weights; `init` and `start` are ignored. A
    failed member starts again with fresh weights and another seed.

    Args:
        schedule: One mapping of all hyperparameters, for plain training; a sequence of them, by age in
            intervals; or a `hoptim.Schedule`. The last entry holds beyond the end. An object behind a name
            of a `Choice` is given by its name. In a nested space, names are nested or dotted, and
            constants may be left out. What is not active (`when`) is left out.

    Raises:
        ArgumentError: `schedule` is none of these, or a value is no JSON scalar.

    >>> import hoptim
    >>> space = {"lr": hoptim.Float(1e-4, 1.0, log=True)}
    >>> decay = hoptim.Fixed([{"lr": 0.1}, {"lr": 0.01}])
    >>> study = hoptim.Study(None, space=space, optimizer=decay, size=3, steps=3, mode="min")
    >>> for trial in study:
    ...     trial.tell(trial.params["lr"] + trial.seed % 7)
    >>> [trial.params["lr"] for trial in study.lineage(study.trials[-1]).line]
    [0.1, 0.01, 0.01]
    """

    schedule: Mapping[str, Any] | Sequence[Mapping[str, Any]] | _Schedule

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", _by_age(self.schedule))

    def __repr__(self) -> str:
        return f"Fixed(<{len(self._params)} intervals>)"

    @property
    def _params(self) -> Sequence[Mapping[str, Any]]:
        return self.schedule  # type: ignore[return-value] # as __post_init__ left it

    def check_space(self, space: Space) -> None:
        before = np.full(len(space), np.nan)  # of the last age at which it was active
        for age in range(len(self._params)):
            x = self._coordinates(age, space)
            active = space.active(x)
            if (active & space.inherited & ~np.isnan(before) & (x != before)).any():
                raise OptimizerError(
                    "Fixed: hyperparameters with inherit=True belong to the weights and cannot change, "
                    f"but at age {age} they differ from those before."
                )
            before = np.where(active, x, before)

    def _coordinates(self, age: int, space: Space) -> NDArray[np.float64]:
        try:
            return space.encode(self._params[age])
        except SpaceError as error:
            raise OptimizerError(f"Fixed: the hyperparameters at age {age} do not fit: {error}") from None

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None or not population.healthy[row]:
            return self._at(0, None, view.space)
        return self._at(int(population.age[row]) + 1, int(population.number[row]), view.space)

    def proceed(self, trial: Row, space: Space) -> Proposal:
        return self._at(trial.age + 1, trial.number, space)

    def _at(self, age: int, parent: int | None, space: Space) -> Proposal:
        age = min(age, len(self._params) - 1)
        return Proposal(parent, self._coordinates(age, space), params=self._params[age])


def _by_age(schedule: Any) -> list[dict[str, Any]]:
    """Return a user's schedule as a list by age of plain JSON."""
    if isinstance(schedule, Mapping):
        found = [schedule]
    elif hasattr(schedule, "intervals") and hasattr(schedule, "space"):
        if (first := schedule.intervals[0].age) != 0:
            raise ArgumentError(
                f"Fixed: the schedule must begin at age 0, but this one begins at age {first}; "
                "study.origin.schedule(...) has the intervals before if it is of a fork. Those before a "
                "Start are not known."
            )
        found = [schedule.space.record(interval.params) for interval in schedule.intervals]
    else:
        found = list(schedule) if isinstance(schedule, Sequence) else []
    if not found or not all(isinstance(params, Mapping) and params for params in found):
        raise ArgumentError(
            "Fixed: schedule must be a mapping from name to value, a sequence of them by age, or a "
            f"hoptim.Schedule, found {shown(schedule)}."
        )
    by_age: list[dict[str, Any]] = plain([dict(p) for p in found], "Fixed: the values of a schedule")
    return by_age
