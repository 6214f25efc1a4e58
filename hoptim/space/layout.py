"""The nesting of a space: dotted names for what is within dicts and lists, and the way back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hoptim._arguments import python_of
from hoptim._text import shown
from hoptim.errors import SpaceError
from hoptim.space.dimension import Dimension, Scalar

_CONSTANT = "Constant"  # type of a constant in JSON, beside those of dimensions
_DEEPEST = 32  # levels; a dict that contains itself has no end
_SCALARS = (str, int, float, bool, type(None))


class Layout:
    """Dimensions and constants by dotted name, and the dicts and lists that they are given back in.

    Args:
        tree: The user's dicts and lists of dimensions and constants.

    Attributes:
        dimensions: Dimensions by dotted name, in depth-first order, which is that of coordinates.
        constants: Constants by dotted name.

    Raises:
        SpaceError: A name is not a string, two names are the same, or a value is neither a dimension nor
            a constant.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.dimensions: dict[str, Dimension] = {}
        self.constants: dict[str, Scalar] = {}
        self._names: dict[str, Any] = self._grow(tree, "", 0)  # the tree, with dotted names as leaves
        self._simple = self._names == {name: name for name in self.dimensions}

    def _grow(self, node: Any, name: str, depth: int) -> Any:
        """Return a node with names as leaves; take note of the dimensions and constants below it."""
        node = python_of(node)
        if depth > _DEEPEST:
            raise SpaceError(f"A space has at most {_DEEPEST} levels; {shown(name)} lies deeper.")
        if isinstance(node, Mapping):
            return {key: self._grow(node[key], _below(name, key), depth + 1) for key in node}
        if isinstance(node, (list, tuple)):
            if node and all(isinstance(python_of(item), _SCALARS) for item in node):
                raise _listed_values(name, node)
            for i, item in enumerate(node):
                if isinstance(item, Dimension) and item.when is not None:
                    raise _in_a_list(_below(name, str(i)))
            items = [self._grow(item, _below(name, str(i)), depth + 1) for i, item in enumerate(node)]
            return tuple(items) if isinstance(node, tuple) else items
        if name in self.dimensions or name in self.constants:
            raise SpaceError(
                f"Two hyperparameters would be named {shown(name)}, since a key holds a dot; rename one."
            )
        if isinstance(node, Dimension):
            self.dimensions[name] = node
        else:
            self.constants[name] = _constant(name, node)
        return name

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, all or some, by dotted name and without the constants.

        Args:
            params: Hyperparameters, nested as the space is or by dotted name.

        Raises:
            SpaceError: A name is unknown or given twice, or a constant has another value.
        """
        if self._simple:
            self.check_names(params)
            return dict(params)
        found: dict[str, Any] = {}
        for name, value in self._leaves(params, self._names, ""):
            if name in found:
                raise SpaceError(f"Hyperparameter {shown(name)} is given twice.")
            found[name] = value
        self.check_names(found)
        for name in self.constants.keys() & found.keys():
            value, constant = python_of(found.pop(name)), self.constants[name]
            if not isinstance(value, _SCALARS) or value != constant:
                raise SpaceError(
                    f"Hyperparameter {shown(name)} is the constant {shown(constant)} of the space, "
                    f"found {shown(value)}."
                )
        return found

    def _leaves(self, values: Any, node: Any, prefix: str) -> Iterator[tuple[Any, Any]]:
        """Yield names and values, those that the space does not have too."""
        below: dict[Any, Any] = _children(node)
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
            name = f"{prefix}{key}" if prefix else key
            inner = below.get(key if isinstance(node, dict) else str(key))
            if isinstance(inner, (str, type(None))):
                yield inner or name, value
                continue
            group = python_of(value)
            if not isinstance(group, Mapping if isinstance(inner, dict) else (Mapping, list, tuple)):
                wanted = "a mapping from name to value" if isinstance(inner, dict) else "a list"
                raise SpaceError(f"Hyperparameter {shown(name)} must be {wanted}, found {shown(value)}.")
            yield from self._leaves(group, inner, f"{name}.")

    def check_names(self, names: Iterable[Any]) -> None:
        """Raise `SpaceError` unless all names are those of dimensions or constants."""
        if unknown := [n for n in names if n not in self.dimensions and n not in self.constants]:
            raise SpaceError(
                f"{shown(unknown)} are no hyperparameters of this study; it has {list(self.dimensions)}."
            )

    def nested(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters by dotted name in the dicts and lists of the space, with the constants.

        Those that are left out are left out of their dict, which stays, if only empty.
        """
        if self._simple:
            return dict(flat)
        filled: dict[str, Any] = _filled(self._names, {**self.constants, **flat})
        return filled

    def plain(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return the same as `nested` from JSON scalars, with lists for tuples, which JSON lacks."""
        filled: dict[str, Any] = _filled(self._names, {**self.constants, **flat}, tuples=list)
        return filled

    @property
    def tree(self) -> dict[str, Any]:
        """Return the dicts and lists of dimensions and constants."""
        return self.arranged_like(self)

    def arranged_like(self, other: Layout) -> dict[str, Any]:
        """Return the tree with its keys in the order of another one."""
        leaves = {**self.constants, **self.dimensions}
        arranged: dict[str, Any] = _filled(_in_order(self._names, other._names), leaves)
        return arranged

    def to_json(self) -> dict[str, Any]:
        """Return the tree as plain JSON, in which each leaf has a `type`."""
        constants = {name: {"type": _CONSTANT, "value": value} for name, value in self.constants.items()}
        return self.plain({name: dim.to_json() for name, dim in self.dimensions.items()} | constants)


def read_layout(data: Any, kinds: Mapping[str, type[Dimension]], name: str = "", depth: int = 0) -> Any:
    """Return the tree that `Layout.to_json` wrote.

    Args:
        data: The JSON, or a part of it.
        kinds: Classes of dimensions by type.
        name: Dotted name of the part. Default: "", all.
        depth: Levels above the part. Default: 0.

    Raises:
        SpaceError: A type that there is not.
    """
    if depth > _DEEPEST:
        raise SpaceError(f"A space has at most {_DEEPEST} levels; {shown(name)} lies deeper.")
    if isinstance(data, Mapping) and not (name and isinstance(data.get("type"), str)):
        return {k: read_layout(v, kinds, f"{name}.{k}" if name else k, depth + 1) for k, v in data.items()}
    if isinstance(data, list):
        return [read_layout(v, kinds, f"{name}.{i}", depth + 1) for i, v in enumerate(data)]
    settings = dict(data) if isinstance(data, Mapping) else {}
    if (kind := settings.pop("type", None)) == _CONSTANT:
        return settings["value"]
    if kind not in kinds:
        raise SpaceError(
            f"Dimension {shown(name)} has no known type of {[*kinds, _CONSTANT]}: {shown(data)}."
        )
    return kinds[kind].from_json(settings)


def _below(name: str, key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise SpaceError(f"The name of a dimension must be a non-empty string, found {shown(key)}.")
    return f"{name}.{key}" if name else key


def _constant(name: str, value: Any) -> Scalar:
    if isinstance(value, _SCALARS) and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    hint = " Write hoptim.Choice([...]) for one of its values."
    raise SpaceError(
        f"Dimension {shown(name)} must be a Float, Int, Choice or Ordinal, a dict or list of them, or a "
        f"constant (text, a finite number, True, False or None), found {shown(value)}."
        f"{hint if isinstance(value, (set, frozenset, range)) else ''}"
    )


def _listed_values(name: str, values: Sequence[Any]) -> SpaceError:
    """Return the error for values where dimensions belong, with the line that was probably meant."""
    plain = [python_of(value) for value in values]
    line = f"hoptim.Choice({shown(plain)}) for one of these values"
    if len(plain) == 2 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in plain):
        low, high = sorted(plain)
        kinds = ["Float"] if isinstance(low, float) or isinstance(high, float) else ["Float", "Int"]
        ranges = " or ".join(f"hoptim.{kind}({low!r}, {high!r})" for kind in kinds)
        line = f"{ranges} for the range, or {line}"
    return SpaceError(
        f"Dimension {shown(name)} must be a Float, Int, Choice or Ordinal, found {shown(values)}. Write "
        f"{shown(name)}: {line}."
    )


def _in_a_list(name: str) -> SpaceError:
    return SpaceError(
        f"Hyperparameter {shown(name)} has a condition (when=) and lies in a list, in which a position "
        "cannot be left out. Put it into a dict, in place of the list or within it."
    )


def _children(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {str(i): item for i, item in enumerate(node)}


def _filled(node: Any, leaves: Mapping[str, Any], tuples: type = tuple) -> Any:
    """Return a tree with what its leaves name; what is left out of `leaves` is left out of its dict."""
    if isinstance(node, str):
        return leaves[node]
    if isinstance(node, dict):
        there = {key: inner for key, inner in node.items() if not isinstance(inner, str) or inner in leaves}
        return {key: _filled(inner, leaves, tuples) for key, inner in there.items()}
    return (tuples if isinstance(node, tuple) else list)(_filled(inner, leaves, tuples) for inner in node)


def _in_order(node: Any, other: Any) -> Any:
    """Return a tree with its keys in the order of another one."""
    if isinstance(node, str):
        return node
    if isinstance(node, dict):
        return {key: _in_order(node[key], other[key]) for key in other}
    return type(node)(_in_order(*pair) for pair in zip(node, other, strict=True))
