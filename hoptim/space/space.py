"""The hyperparameters of a study, and their internal coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim._text import shown
from hoptim.errors import SpaceError
from hoptim.space.conditions import Conditions
from hoptim.space.dimension import Dimension, of
from hoptim.space.layout import Layout, read_layout
from hoptim.space.listed import Choice, Ordinal
from hoptim.space.numeric import Float, Int

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import ArrayLike, NDArray

    Coordinates = NDArray[np.float64]


class Space:
    """Named dimensions in a fixed order, between coordinates `(d,)` and hyperparameters.

    Args:
        dimensions: Mapping from a name to a `Float`, `Int`, `Choice` or `Ordinal`, to a dict or list of
            them, or to a constant: text, a finite number, True, False or None. At least one dimension.

    Attributes:
        dimensions: Dimensions by name. What is within a dict or list has a dotted name: `opt.lr`,
            `layers.0`.
        constants: Constants by name, likewise. They have no coordinate and come back as they are.

    Raises:
        SpaceError: There is no dimension, a name is not a string, two dotted names are the same, or a
            value is neither a dimension nor a constant. A condition `when` names no `Choice` of the space
            or none of its values, or conditions form a circle.

    >>> from hoptim import Float, Int
    >>> space = Space({"opt": {"lr": Float(0.0, 1.0)}, "width": Int(1, 4), "epochs": 5})
    >>> space.decode([0.25, 1.0])
    {'opt': {'lr': 0.25}, 'width': 4, 'epochs': 5}
    >>> list(space.dimensions)
    ['opt.lr', 'width']
    """

    def __init__(self, dimensions: Mapping[str, Any]) -> None:
        if not isinstance(dimensions, Mapping) or not dimensions:
            raise SpaceError(
                "space must be a non-empty mapping from a name to a Float, Int, Choice or Ordinal, "
                f"found {shown(dimensions)}."
            )
        self._layout = Layout(dimensions)
        self.dimensions, self.constants = self._layout.dimensions, self._layout.constants
        if not self.dimensions:
            raise SpaceError(
                "space must have at least one Float, Int, Choice or Ordinal, not constants alone, found "
                f"{shown(dimensions)}."
            )
        self._dims = list(self.dimensions.values())
        self._conditions = Conditions(self.dimensions)

    def __len__(self) -> int:
        return len(self._dims)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Space({self._layout.tree!r})"

    @property
    def conditional(self) -> bool:
        """Tell whether a dimension has a condition `when`."""
        return bool(self._conditions)

    def active(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Return the mask `(d,)` of dimensions that are active at coordinates `(d,)`.

        The others are in no `params`; they keep the coordinate of the trial's parent.

        >>> from hoptim import Choice, Float
        >>> space = Space({"opt": Choice(["sgd", "adam"]), "m": Float(0.0, 1.0, when={"opt": "sgd"})})
        >>> space.active([1.0, 0.5]), space.decode([1.0, 0.5])
        (array([ True, False]), {'opt': 'adam'})
        """
        inactive = self._conditions.inactive_at(_floats(x))
        return np.array([name not in inactive for name in self.dimensions])

    @cached_property
    def inherited(self) -> NDArray[np.bool_]:
        """Return the mask `(d,)` of dimensions inherited unchanged with the weights."""
        return np.array([dim.inherit for dim in self._dims])

    @cached_property
    def stepped(self) -> NDArray[np.bool_]:
        """Return the mask `(d,)` of dimensions that take Gaussian steps: ordered, not inherited."""
        return np.array([dim.ordered and not dim.inherit for dim in self._dims])

    @cached_property
    def stepped_at(self) -> tuple[int, ...]:
        """Return the positions of the dimensions that take Gaussian steps."""
        return tuple(np.flatnonzero(self.stepped).tolist())

    @cached_property
    def switched(self) -> NDArray[np.bool_]:
        """Return the mask `(d,)` of dimensions that change only by a draw: unordered, not inherited."""
        return np.array([not dim.ordered and not dim.inherit for dim in self._dims])

    @cached_property
    def _switches(self) -> list[int]:
        return np.flatnonzero(self.switched).tolist()

    @cached_property
    def _init(self) -> dict[int, float]:
        """Return the coordinates of `init` by dimension, for those that have one."""
        return {i: dim.encode(dim.init) for i, dim in enumerate(self._dims) if dim.has_init}

    def draw(self, rng: np.random.Generator) -> Coordinates:
        """Draw coordinates `(d,)`, uniform in the scale of each dimension; `init` is ignored."""
        uniforms = rng.random(len(self)).tolist()
        return np.array([dim.draw(w) for dim, w in zip(self._dims, uniforms, strict=True)])

    def first(self, rng: np.random.Generator, given: Mapping[str, Any] | None = None) -> Coordinates:
        """Return coordinates `(d,)` of a first trial: values of `given`, else `init`, else a draw."""
        x = self.draw(rng)
        for i, u in self._init.items():
            x[i] = u
        if given:
            flat = self.flat(given)
            for i, (name, dim) in enumerate(self.dimensions.items()):
                if name in flat:
                    x[i] = of(name, dim.encode, flat[name])
        return x

    def contains(self, x: Sequence[float]) -> bool:
        """Tell whether d coordinates can be decoded: in [0, 1], or an index of a `Choice`."""
        if len(x) != len(self):
            return False
        for u, top in zip(x, self._tops, strict=True):  # noqa: SIM110 - all() takes three times as long
            if not 0 <= u <= top:
                return False
        return True

    @cached_property
    def _tops(self) -> list[float]:
        return [1.0 if dim.ordered else dim.draw(1 - 2**-53) for dim in self._dims]

    def encode(self, params: Mapping[str, Any]) -> Coordinates:
        """Return the coordinates `(d,)` of a full set of hyperparameters, those that are active.

        One that is not has the coordinate of its `init`, else of the middle of its range.

        Raises:
            SpaceError: A name is missing or unknown, or a value lies outside its dimension or is given for
                a hyperparameter that is not active.
        """
        flat = self.flat(params)
        inactive = self._conditions.inactive(flat)
        if missing := self.dimensions.keys() - flat.keys() - inactive:
            raise SpaceError(
                f"Hyperparameters lack {sorted(missing)}; the space has {list(self.dimensions)}."
            )
        self._conditions.refuse(flat.keys() & inactive)
        return np.array(
            [of(n, d.encode, flat[n]) if n in flat else d.resting for n, d in self.dimensions.items()]
        )

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, all or some, by dotted name and without the constants.

        Args:
            params: Hyperparameters, nested as the space is or by dotted name.

        Raises:
            SpaceError: A name is unknown or given twice, or a constant has another value.

        >>> Space({"opt": {"lr": Float(0.0, 1.0)}, "epochs": 5}).flat({"opt": {"lr": 0.5}, "epochs": 5})
        {'opt.lr': 0.5}
        """
        return self._layout.flat(params)

    def nested(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters by dotted name in the dicts and lists of the space, with the constants."""
        return self._layout.nested(flat)

    def plain(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return all hyperparameters as plain JSON, nested as they are; a named object by its name.

        Raises:
            SpaceError: The reasons of `encode`.
        """
        return self._layout.plain(self.record(params))

    def record(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, all or some, by dotted name as the JSON scalars that record them.

        Raises:
            SpaceError: A name is unknown, or a value lies outside its dimension.
        """
        return {n: of(n, self.dimensions[n].record, value) for n, value in self.flat(params).items()}

    def record_start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a known first configuration, all or some hyperparameters, as `record` does.

        Raises:
            SpaceError: The reasons of `record`, or a value is given for a hyperparameter that is not active
                with what is given for others, else their `init`.
        """
        recorded = self.record(params)
        begun = {name: dim.init for name, dim in self.dimensions.items() if dim.has_init}
        self._conditions.refuse(recorded.keys() & self._conditions.inactive(begun | recorded))
        return recorded

    def decode(self, x: ArrayLike) -> dict[str, Any]:
        """Return the active hyperparameters of coordinates `(d,)`: numbers or the user's own values."""
        return self.nested({name: dim.decode(u) for name, dim, u in self._active_at(x)})

    def names(self, x: ArrayLike) -> dict[str, Any]:
        """Return the active hyperparameters of coordinates `(d,)` by dotted name as JSON scalars."""
        return {name: dim.name(u) for name, dim, u in self._active_at(x)}

    def _active_at(self, x: ArrayLike) -> list[tuple[str, Dimension, float]]:
        """Return name, dimension and coordinate of what is active at coordinates `(d,)`."""
        u = _floats(x)
        inactive = self._conditions.inactive_at(u)
        pairs = zip(self.dimensions.items(), u, strict=True)
        return [(name, dim, each) for (name, dim), each in pairs if name not in inactive]

    def named(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the active hyperparameters that JSON scalars by dotted name record."""
        inactive = self._conditions.inactive(params)
        dimensions = self.dimensions.items()
        return self.nested({n: d.named(params[n]) for n, d in dimensions if n not in inactive})

    def perturb(
        self, x: ArrayLike, factors: tuple[float, float], resample: float, rng: np.random.Generator
    ) -> Coordinates:
        """Return coordinates `(d,)` explored as in PBT (arXiv 1711.09846, section 4.1.1).

        Each hyperparameter independently is drawn anew with probability `resample`, else its *value*, not
        its coordinate, is multiplied by one of `factors`, each with probability 1/2, and clipped to the
        bounds. A whole number always moves, an `Ordinal` moves to its neighbour, a value of exactly 0 is
        drawn anew, a `Choice` changes only by resampling, an inherited dimension never.

        Args:
            x: Coordinates `(d,)` to start from; not changed.
            factors: Two factors, each above 0.
            resample: Probability of a fresh draw, in [0, 1].
            rng: Generator of three uniform numbers per dimension.
        """
        child = _floats(x)
        redraw, side, fresh = rng.random((3, len(self))).tolist()
        for i, dim in enumerate(self._dims):
            if dim.inherit:
                continue
            moved = None if redraw[i] < resample else dim.scale(child[i], factors[side[i] < 0.5])
            child[i] = dim.draw(fresh[i]) if moved is None else moved
        return np.array(child)

    def redraw(self, x: ArrayLike, probability: float, rng: np.random.Generator) -> Coordinates:
        """Return coordinates `(d,)` with each unordered dimension drawn anew with a probability."""
        child = np.array(x, dtype=float)
        if self._switches:
            chance, fresh = rng.random((2, len(self))).tolist()
            for i in self._switches:
                if chance[i] < probability:
                    child[i] = self._dims[i].draw(fresh[i])
        return child

    def check_names(self, names: Iterable[str]) -> None:
        """Raise `SpaceError` unless all names are those of dimensions or constants."""
        self._layout.check_names(names)

    def arranged_like(self, other: Space) -> Space:
        """Return this space with its names in the order of another one that has the same."""
        return Space(self._layout.arranged_like(other._layout))

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain JSON, nested as it is."""
        return self._layout.to_json()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Space:
        """Return the space that `to_json` wrote, with names in place of a mapping's objects."""
        return cls(read_layout(data, {kind.__name__: kind for kind in _KINDS}))


_KINDS: tuple[type[Dimension], ...] = (Float, Int, Choice, Ordinal)


def _floats(x: ArrayLike) -> list[float]:
    if isinstance(x, np.ndarray):
        return x.tolist()  # type: ignore[no-any-return]
    return [float(u) for u in x]  # type: ignore[arg-type, union-attr]
