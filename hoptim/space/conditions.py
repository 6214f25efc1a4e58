"""Conditions of a space: which hyperparameters apply, by the values of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from hoptim._text import shown
from hoptim.errors import SpaceError
from hoptim.space.dimension import Dimension, Scalar, of
from hoptim.space.listed import Choice


class Conditions:
    """The conditions `when` of the dimensions of a space; a dimension without one is always active.

    Args:
        dimensions: Dimensions by dotted name.

    Raises:
        SpaceError: A condition names no `Choice` of the space or a value that it does not have, or
            conditions form a circle.
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        self._when = {name: dim.when for name, dim in dimensions.items() if dim.when is not None}
        for name, when in self._when.items():
            for on, values in when.items():
                _check(name, on, values, dimensions)
        self._order = _ordered(self._when) if self._when else ()
        self._dims = dimensions
        deciding = {on for when in self._when.values() for on in when}
        self._deciding = [(n, i, dim) for i, (n, dim) in enumerate(dimensions.items()) if n in deciding]

    def __bool__(self) -> bool:
        return bool(self._when)

    def inactive(self, values: Mapping[str, Any]) -> Set[str]:
        """Return the names of the dimensions that are not active.

        Args:
            values: Values, or the JSON scalars that record them, by dotted name. A condition on one that is
                left out does not hold.

        Raises:
            SpaceError: A value that a condition asks for lies outside its dimension.
        """
        found: set[str] = set()
        for name in self._order:
            if not all(
                on not in found and on in values and of(on, self._dims[on].record, values[on]) in allowed
                for on, allowed in self._when[name].items()
            ):
                found.add(name)
        return found

    def inactive_at(self, x: Sequence[float]) -> Set[str]:
        """Return the names of the dimensions that are not active at coordinates `(d,)`."""
        return self.inactive({name: dim.name(x[i]) for name, i, dim in self._deciding})

    def refuse(self, names: Set[str]) -> None:
        """Raise `SpaceError` if there are names: values were given for what is not active."""
        for name in sorted(names):
            parts = (
                f"{shown(on)} is {' or '.join(map(shown, values))}"
                for on, values in self._when[name].items()
            )
            raise SpaceError(
                f"Hyperparameter {shown(name)} is active only when {' and '.join(parts)}, which is not so "
                "here: leave it out, or give that value as well."
            )


def _check(name: str, on: str, values: Sequence[Scalar], dimensions: Mapping[str, Dimension]) -> None:
    """Raise `SpaceError` unless a part of a condition names a `Choice` and values of it."""
    deciding = dimensions.get(on)
    if not isinstance(deciding, Choice):
        found = "no hyperparameter" if deciding is None else f"a {type(deciding).__name__}"
        there = [other for other, dim in dimensions.items() if isinstance(dim, Choice) and other != name]
        raise SpaceError(
            f"Hyperparameter {shown(name)}: when= names {shown(on)}, which is {found} of this space. Name "
            f"a Choice, one within a dict by its dotted name; there are {shown(there)}."
        )
    names = deciding.to_json()["values"]
    if unknown := [value for value in values if value not in names]:
        raise SpaceError(
            f"Hyperparameter {shown(name)}: when= asks for {shown(on)} to be {shown(unknown[0])}, which "
            f"is none of its values {shown(names)}. Write one of these, or a list of several."
        )


def _ordered(when: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Return the dimensions with a condition, each behind those that it depends on."""
    from graphlib import CycleError, TopologicalSorter  # seldom needed

    try:
        found = tuple(TopologicalSorter({name: list(parts) for name, parts in when.items()}).static_order())
    except CycleError as error:
        circle = " -> ".join(map(shown, reversed(error.args[1])))
        raise SpaceError(
            f"The conditions form a circle: {circle}. None of these hyperparameters could ever be active; "
            "leave out when= of one of them."
        ) from None
    return [name for name in found if name in when]
