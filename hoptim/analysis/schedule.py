"""The schedule that one model was really trained with, interval by interval, through every exploit."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from hoptim import _html
from hoptim._files import explained, replace_whole
from hoptim._paths import user_path
from hoptim._text import counted
from hoptim.analysis import scalar_table
from hoptim.analysis.flat_table import flat
from hoptim.analysis.frame import frame
from hoptim.errors import ArgumentError, HoptimError
from hoptim.space.space import Space

if TYPE_CHECKING:
    from pandas import DataFrame

_FORMAT = 1
_FIXED = ("age", "seed", "value", "trial", "member", "step")  # columns to the left of the params


class Interval(NamedTuple):
    """One interval of a schedule.

    Attributes:
        age: Intervals that the weights had been trained before.
        params: Hyperparameters of the trial.
        seed: Seed of the trial.
        value: Value that the trial was told; NaN if it was trained and not valued.
        trial: Number of the trial in the study.
        member: Member that trained it.
        step: Step of that member, from 0.
    """

    age: int
    params: dict[str, Any]
    seed: int
    value: float
    trial: int
    member: int
    step: int


@dataclass(frozen=True, eq=False)
class Schedule(Sequence[Interval]):
    """Hyperparameters by age: what population based training finds.

    A sequence of `Interval`, and a function of the age. Training again from it alone, with its seeds and
    without a study, gives the same weights if training is a function of params and seed.

    Args:
        intervals: Intervals by age, from 0, or from where a `Start` or a fork with another space began.
        space: Space of the study.

    Raises:
        ArgumentError: The ages do not count up by one.

    >>> import hoptim
    >>> space = {"lr": hoptim.Float(1e-4, 1.0, log=True)}
    >>> study = hoptim.Study(None, space=space, size=4, steps=3, mode="min")
    >>> for trial in study:
    ...     trial.tell(trial.params["lr"])
    >>> schedule = study.schedule()
    >>> len(schedule), schedule(2) == study.best.params, schedule[-1].value == study.best.value
    (3, True, True)
    """

    intervals: Sequence[Interval]
    space: Space

    def __post_init__(self) -> None:
        ages = [interval.age for interval in self.intervals]
        if not ages or ages[0] < 0 or ages != list(range(ages[0], ages[0] + len(ages))):
            raise ArgumentError(f"The ages of a schedule must count up from 0 or more, found {ages}.")

    def __call__(self, age: int) -> dict[str, Any]:
        """Return the hyperparameters at an age; beyond the end those of the last interval."""
        begin = self.intervals[0].age
        if age < begin:
            raise ArgumentError(f"age must be at least {begin}, found {age}.")
        return dict(self.intervals[min(int(age) - begin, len(self) - 1)].params)

    def __len__(self) -> int:
        return len(self.intervals)

    @overload
    def __getitem__(self, index: int) -> Interval: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Interval]: ...

    def __getitem__(self, index: int | slice) -> Interval | Sequence[Interval]:
        return self.intervals[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<hoptim.Schedule of {list(self.space.dimensions)} over {len(self)} intervals>"

    @_html.quiet
    def _repr_html_(self) -> str:
        values, flat = zip(*((it.value, self.space.flat(it.params)) for it in self), strict=True)
        rows = [("value", values[0], values[-1], _html.curve(values))]
        for name, dim in self.space.dimensions.items():
            first, last = (params.get(name, _html.Html()) for params in (flat[0], flat[-1]))
            scaled = (dim.encode(params[name]) if name in params else math.nan for params in flat)
            rows.append((name, first, last, _html.curve(scaled)))  # in its own scale
        table = _html.table(("by age", "first", "last", ""), rows)
        return _html.page(f"Schedule of {counted(len(self), 'interval')}", {}, table)

    def series(self, name: str) -> list[Any]:
        """Return one hyperparameter by age; what is within a dict or list has a dotted name.

        It is None where it was not active (`when`).
        """
        self.space.check_names([name])
        constants, flat = self.space.constants, self.space.flat
        return [{**constants, **flat(interval.params)}.get(name) for interval in self.intervals]

    def to_pandas(self) -> DataFrame:
        """Return the schedule as a DataFrame: a row for each interval, hyperparameters in `params.NAME`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        rows = [it._asdict() | flat("params", self.space.record(it.params)) for it in self.intervals]
        return frame([*_FIXED, *(f"params.{name}" for name in self.space.dimensions)], rows)

    def to_json(self) -> dict[str, Any]:
        """Return the schedule as plain JSON, with names in place of the objects of a mapped `Choice`."""
        intervals = [
            {**it._asdict(), "params": self.space.plain(it.params), "value": _or_none(it.value)}
            for it in self.intervals
        ]
        return {"format": _FORMAT, "space": self.space.to_json(), "intervals": intervals}

    @classmethod
    def from_json(cls, data: Any, space: Mapping[str, Any] | Space | None = None) -> Schedule:
        """Return the schedule that `to_json` wrote.

        Args:
            data: Result of `to_json`.
            space: Space of the study; needed only to get the objects of a mapped `Choice`. Default: the
                recorded space, with names in place of objects.

        Raises:
            ArgumentError: `data` is no schedule, or one of another space.
        """
        try:
            if data["format"] != _FORMAT:
                raise ValueError(f"format {data['format']!r}")
            recorded = Space.from_json(data["space"])
            intervals = [Interval(**interval) for interval in data["intervals"]]
            return cls._named(intervals, _same(recorded, space))
        except (HoptimError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArgumentError(f"This is no schedule that hoptim wrote: {error}") from error

    @classmethod
    def _named(cls, intervals: Iterable[Interval], space: Space) -> Schedule:
        return cls([_named(interval, space) for interval in intervals], space)

    def to_csv(self) -> str:
        """Return the schedule as CSV with a line for each interval; floats are exact.

        What was not active (`when`) is null.
        """
        rows = (
            [getattr(it, name) for name in _FIXED] + [params.get(name) for name in self.space.dimensions]
            for it in self.intervals
            for params in [self.space.record(it.params)]
        )
        return scalar_table.written([*_FIXED, *self.space.dimensions], rows)

    @classmethod
    def from_csv(cls, text: str, space: Mapping[str, Any] | Space) -> Schedule:
        """Return the schedule that `to_csv` wrote.

        Args:
            text: Result of `to_csv`.
            space: Space of the study, which CSV does not hold.

        Raises:
            ArgumentError: `text` is no schedule, or one of another space.
        """
        space = space if isinstance(space, Space) else Space(space)
        try:
            rows = scalar_table.read(text, [*_FIXED, *space.dimensions])
            return cls._named([_interval(row, space) for row in rows], space)
        except (HoptimError, TypeError, ValueError) as error:
            raise ArgumentError(f"This is no schedule that hoptim wrote: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the schedule as JSON, or as CSV if the name ends in .csv.

        Args:
            path: File to create or replace.

        Raises:
            StoreError: The file cannot be written.
        """
        text = self.to_csv() if _is_csv(path) else json.dumps(self.to_json(), indent=1) + "\n"
        replace_whole(user_path(path), text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str], space: Mapping[str, Any] | Space | None = None) -> Schedule:
        """Read a schedule that `save` wrote.

        Args:
            path: File to read, as CSV if its name ends in .csv, else as JSON.
            space: Space of the study; required for CSV, else as in `from_json`.

        Raises:
            ArgumentError: The file holds no schedule, or one of another space.
            StoreError: The file cannot be read.
        """
        with explained("read", path):
            text = user_path(path).read_text(encoding="utf-8")
        if _is_csv(path):
            if space is None:
                raise ArgumentError(
                    f"{os.fspath(path)!r} is a CSV file, which does not hold the space: pass space=."
                )
            return cls.from_csv(text, space)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"{os.fspath(path)!r} is not valid JSON: {error}.") from error
        return cls.from_json(data, space)


def _same(recorded: Space, given: Mapping[str, Any] | Space | None) -> Space:
    if given is None:
        return recorded
    space = given if isinstance(given, Space) else Space(given)
    if space != recorded:
        raise ValueError(f"its space is {recorded!r}, given was {space!r}")
    return space


def _named(interval: Interval, space: Space) -> Interval:
    value = math.nan if interval.value is None else interval.value
    return interval._replace(params=space.named(space.record(interval.params)), value=value)


def _or_none(value: float) -> float | None:
    """Return the value of an interval for JSON, where none is null."""
    return None if math.isnan(value) else value


def _is_csv(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(".csv")


def _interval(row: Sequence[Any], space: Space) -> Interval:
    fixed = dict(zip(_FIXED, row, strict=False))
    found = dict(zip(space.dimensions, row[len(_FIXED) :], strict=True))
    return Interval(params=space.named(found), **fixed)
