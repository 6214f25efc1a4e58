"""Importance of hyperparameters by step, from what exploits compare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hoptim.space.space import Space
from hoptim.trial import FinishedTrial

_Floats = NDArray[np.float64]
_Rows = NDArray[np.int64]

_WINDOWS = 10  # at most
_PER_COLUMN = 4  # comparisons for each column of the regression, at least


class Importance(NamedTuple):
    """Importance of each hyperparameter in windows of steps.

    Attributes:
        names: Dotted names of the hyperparameters `(d,)`.
        edges: First step of each window, and the one after the last `(w + 1,)`.
        shares: Importance by window and hyperparameter `(w, d)`; NaN for one that did not vary.
        comparisons: Number of comparisons in each window `(w,)`.
    """

    names: list[str]
    edges: list[int]
    shares: _Floats
    comparisons: list[int]


def importance(trials: Sequence[FinishedTrial], space: Space) -> Importance | None:
    """Return how much each hyperparameter says about which trials of the same weights did better.

    This is a construction of our own. An exploit makes siblings: trials that continue the weights of
    one parent, with other hyperparameters. Siblings alone are compared, so that neither the trend of
    training counts nor a lineage that is good for other reasons. The steps are cut into windows. In
    each, the siblings' values less their mean are ranked, and regressed on their coordinates less the
    mean: on an ordered one and its square, on an indicator of each value of a `Choice`. The importance
    of a hyperparameter is by how much the adjusted R squared falls without it. That is about 0, at times
    below, for one that does nothing, and at most 1. It says nothing about what never varied among
    siblings, as with inherit=True, nor about what shows only after more than one interval. Failed trials
    are left out.

    Args:
        trials: Finished trials of a study in the order of their numbers.
        space: Hyperparameters of the study.

    Returns:
        Importance in at most ten windows, each with four comparisons for each column of the regression;
        None if there are not enough for one.
    """
    siblings, family = _siblings(trials)
    columns = _columns(siblings, space)
    step = np.array([trial.step for trial in siblings], dtype=np.int64)
    first = np.full(len(siblings), np.iinfo(np.int64).max)
    np.minimum.at(first, family, step)
    step = first[family]  # siblings are compared in one window
    degrees = np.ones(len(siblings))
    degrees[np.unique(family, return_index=True)[1]] = 0.0  # a family of k has k - 1 comparisons
    need = max(_PER_COLUMN * sum(each.shape[1] for each in columns), int(degrees.sum()) // _WINDOWS, 1)
    edges = _edges(step, degrees, need)
    if len(edges) < 2:
        return None
    value = np.array([trial.value for trial in siblings])
    shares, comparisons = [], []
    for low, high in pairwise(edges):
        there = (step >= low) & (step < high)
        shares.append(_shares([each[there] for each in columns], value[there], family[there]))
        comparisons.append(int(degrees[there].sum()))
    return Importance(list(space.dimensions), edges, np.array(shares), comparisons)


def _siblings(trials: Sequence[FinishedTrial]) -> tuple[list[FinishedTrial], _Rows]:
    """Return the trials that can be compared with a sibling, and the family of each `(n,)`."""
    children: dict[int, list[FinishedTrial]] = {}
    for trial in trials:
        if trial.parent is not None and trial.finite:
            children.setdefault(trial.parent, []).append(trial)
    families = [own for own in children.values() if len(own) > 1]
    family = np.repeat(np.arange(len(families)), [len(own) for own in families])
    return [trial for own in families for trial in own], family.astype(np.int64)


def _columns(trials: Sequence[FinishedTrial], space: Space) -> list[_Floats]:
    """Return each hyperparameter's columns of the regression `(n, p)`; NaN where it was not active."""
    flat = [space.flat(trial.params) for trial in trials]
    found = []
    for name, dim in space.dimensions.items():
        x = np.array([dim.encode(own[name]) if name in own else np.nan for own in flat], dtype=float)
        if dim.ordered:
            found.append(np.stack([x, x**2], axis=1))
        else:
            kinds = np.arange(1, len(dim.to_json()["values"]))  # the first is what the others are not
            found.append(np.where(np.isnan(x)[:, None], np.nan, x[:, None] == kinds))
    return found


def _edges(step: _Rows, degrees: _Floats, need: int) -> list[int]:
    """Return the edges of windows with as many comparisons as needed; what is left joins the last one."""
    steps, at = np.unique(step, return_inverse=True)
    edges, held = [], need
    for first, count in zip(steps.tolist(), np.bincount(at, degrees, len(steps)), strict=True):
        if held >= need:
            edges.append(first)
            held = 0
        held += count
    if edges and held < need:
        edges.pop()
    return [*edges, int(steps[-1]) + 1] if edges else []


def _shares(columns: Sequence[_Floats], value: _Floats, family: _Rows) -> _Floats:
    """Return the importance of each hyperparameter in one window `(d,)`."""
    family = np.unique(family, return_inverse=True)[1]
    bounded = value / (float(np.max(np.abs(value))) or 1.0)  # a sum of the largest floats is none
    apart = _centred(bounded[:, None], family)[:, 0]
    order = np.unique(apart, return_inverse=True)[1].astype(float)
    y = _centred(order[:, None], family)[:, 0]
    x = [_centred(each, family) for each in columns]
    free = len(y) - len(np.unique(family))
    whole = _adjusted(x, y, free)
    return np.array(
        [
            whole - _adjusted(x[:j] + x[j + 1 :], y, free) if np.any(np.abs(own) > 1e-12) else np.nan
            for j, own in enumerate(x)
        ]
    )


def _centred(z: _Floats, family: _Rows) -> _Floats:
    """Return columns `(n, p)` less the mean of each family; 0 where there is nothing."""
    there = np.isfinite(z)
    total, count = np.zeros((2, int(family.max()) + 1, z.shape[1]))
    np.add.at(total, family, np.where(there, z, 0.0))
    np.add.at(count, family, there)
    return np.where(there, z - (total / np.maximum(count, 1))[family], 0.0)


def _adjusted(x: Sequence[_Floats], y: _Floats, free: int) -> float:
    """Return the adjusted R squared of a regression of y `(n,)` with so many degrees of freedom."""
    total = float(y @ y)
    if total == 0 or not x:
        return 0.0
    design = np.concatenate(x, axis=1)
    solution, _, rank, _ = np.linalg.lstsq(design, y, rcond=1e-9)
    left = y - design @ solution
    return 1.0 - float(left @ left) / (free - int(rank)) / (total / free)
