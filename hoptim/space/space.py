"""The hyperparameters of a study, and their internal coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim._arguments import settings_before
from hoptim._text import shown
from hoptim.errors import SpaceError
from hoptim.space.dimension import Dimension
from hoptim.space.listed import Choice, Ordinal
from hoptim.space.numeric import Float, Int

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import ArrayLike, NDArray

    Coordinates = NDArray[np.float64]


class Space:
    """Named dimensions in a fixed order, between coordinates `(d,)` and hyperparameters.

    Args:
        dimensions: Mapping from a name to a `Float`, `Int`, `Choice` or `Ordinal`; at least one.

    Raises:
        SpaceError: `dimensions` is empty, a name is not a string, or a value is no dimension.

    >>> from hoptim import Float, Int
    >>> space = Space({"lr": Float(0.0, 1.0), "width": Int(1, 4)})
    >>> space.decode([0.25, 1.0])
    {'lr': 0.25, 'width': 4}
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        if not isinstance(dimensions, Mapping) or not dimensions:
            raise SpaceError(
                "space must be a non-empty mapping from a name to a Float, Int, Choice or Ordinal, "
                f"found {shown(dimensions)}."
            )
        for name, dim in dimensions.items():
            if not isinstance(name, str) or not name:
                raise SpaceError(
                    f"The name of a dimension must be a non-empty string, found {shown(name)}."
                )
            if not isinstance(dim, Dimension):
                raise SpaceError(
                    f"Dimension {shown(name)} must be a Float, Int, Choice or Ordinal, found {shown(dim)}; "
                    "write (low, high) as hoptim.Float(low, high)."
                )
        self.dimensions: dict[str, Dimension] = dict(dimensions)
        self._dims = list(self.dimensions.values())

    def __len__(self) -> int:
        return len(self._dims)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Space({self.dimensions!r})"

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
        return {i: dim.encode(dim.init) for i, dim in enumerate(self._dims) if dim.init is not None}

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
            for i, (name, dim) in enumerate(self.dimensions.items()):
                if name in given:
                    x[i] = _of(name, dim.encode, given[name])
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
        """Return the coordinates `(d,)` of a full set of hyperparameters.

        Raises:
            SpaceError: A name is missing or unknown, or a value lies outside its dimension.
        """
        self.check_names(params)
        if missing := self.dimensions.keys() - params.keys():
            raise SpaceError(
                f"Hyperparameters lack {sorted(missing)}; the space has {list(self.dimensions)}."
            )
        return np.array([_of(n, dim.encode, params[n]) for n, dim in self.dimensions.items()])

    def record(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, all or some, as the JSON scalars that record them.

        Raises:
            SpaceError: A name is unknown, or a value lies outside its dimension.
        """
        self.check_names(params)
        return {n: _of(n, self.dimensions[n].record, value) for n, value in params.items()}

    def decode(self, x: ArrayLike) -> dict[str, Any]:
        """Return the hyperparameters of coordinates `(d,)`: `float`, `int` or the user's own values."""
        return {n: d.decode(u) for (n, d), u in zip(self.dimensions.items(), _floats(x), strict=True)}

    def names(self, x: ArrayLike) -> dict[str, Any]:
        """Return the hyperparameters of coordinates `(d,)` as JSON scalars, as the journal records them."""
        return {n: d.name(u) for (n, d), u in zip(self.dimensions.items(), _floats(x), strict=True)}

    def named(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters that JSON scalars record."""
        return {name: dim.named(params[name]) for name, dim in self.dimensions.items()}

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
        """Raise `SpaceError` unless all names are those of dimensions."""
        if unknown := [name for name in names if name not in self.dimensions]:
            raise SpaceError(
                f"{unknown} are no hyperparameters of this study; it has {list(self.dimensions)}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain JSON."""
        return {name: dim.to_json() for name, dim in self.dimensions.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Space:
        """Return the space that `to_json` wrote, with names in place of a mapping's objects."""
        kinds = {kind.__name__: kind for kind in _KINDS}
        dims = {}
        for name, settings in data.items():
            kwargs = dict(settings)
            kind = kinds.get(kwargs.pop("type", ""))
            if kind is None:
                raise SpaceError(
                    f"Dimension {shown(name)} has no known type of {list(kinds)}: {shown(settings)}."
                )
            dims[name] = kind(**{**settings_before(kind), **kwargs})
        return cls(dims)


_KINDS: tuple[type[Dimension], ...] = (Float, Int, Choice, Ordinal)


def _of(name: str, call: Callable[[Any], Any], value: Any) -> Any:
    """Call a dimension's method; an error names the dimension."""
    try:
        return call(value)
    except SpaceError as error:
        raise SpaceError(f"Hyperparameter {shown(name)}: {error}") from None


def _floats(x: ArrayLike) -> list[float]:
    if isinstance(x, np.ndarray):
        return x.tolist()  # type: ignore[no-any-return]
    return [float(u) for u in x]  # type: ignore[arg-type, union-attr]
