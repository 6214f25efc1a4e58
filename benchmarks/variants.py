"""ROMUL with options that were tried, for `options.py`; without any it equals ROMUL to the last bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import hoptim

Floats = NDArray[np.float64]

_BOUNDS = (1e-4, 0.5)
_FIRST = 0.1  # sigma of first trials
_SWITCH = 0.25  # of a choice
_SMOOTHING = 0.2  # share of the newest step in the direction of a lineage


@dataclass(frozen=True)
class Variant(hoptim.Optimizer):
    """ROMUL with changes.

    Args:
        own: True for a step size of each hyperparameter. Default: False, for one in common.
        rate: Learning rate of sigma. With `own`, rate of the common factor, and again of each one's own; 0
            takes Schwefel's rates for d hyperparameters: 1/sqrt(2 d), with `own` 1/sqrt(2 d) and
            1/sqrt(2 sqrt(d)). Default: log 1.2.
        recombine: Starting point of all children: "" for their parent's hyperparameters (the default),
            "mean" for the mean of the best, "each" for each hyperparameter from one of the best.
        initiator: True to compare each member with one opponent, as in Li et al. 2019 (arXiv 1902.01894),
            and take the better of the two as the parent. Default: False.
        differential: F of a step F (h_a - h_b), added to the Gaussian one (Storn and Price 1997).
        pool: Trials from which a and b are drawn, "best" or "all". Default: "best".
        direction: Share of a lineage's mean direction that is added to each step. Default: 0.
        switch: Probability of drawing a choice anew: 0.25 each, 0.25 divided by their number, a probability
            that is inherited and adapts itself (Baeck and Schuetz 1996), or in proportion to sigma.
        cells: Least sigma of whole numbers and ordinals, in units of one value.
    """

    own: bool = False
    rate: float = math.log(1.2)
    recombine: Literal["", "mean", "each"] = ""
    initiator: bool = False
    differential: float = 0.0
    pool: Literal["best", "all"] = "best"
    direction: float = 0.0
    switch: Literal["each", "shared", "adaptive", "sigma"] = "each"
    cells: float = 0.0

    def propose(self, view: hoptim.View, member: int, rng: np.random.Generator) -> hoptim.Proposal:
        """Return ROMUL's proposal with the changes."""
        population, space, d = view.population, view.space, len(view.space)
        row = population.row(member)
        if row is None:
            return hoptim.Proposal(None, view.first(member, rng), self._first(d))
        best = population.best(0.25, at_least=2 if len(population.ranking) >= 3 else 1)
        parent = self._parent(view, row, best, rng)
        if parent is None:
            return hoptim.Proposal(None, space.draw(rng), self._first(d))
        z = rng.standard_normal(1 + d)
        memo = population.memo[parent]
        sigma = self._sigma(population, parent, best, z[0], rng)
        path = np.array(memo.get("path", np.zeros(d)))
        moved = self._base(population, parent, best, rng)
        size = np.maximum(sigma, self._least(space, moved)) if self.cells else sigma
        moved = moved + size * (z[1:] + self.direction * path)
        moved = moved + self._difference(population, best, rng)
        u = population.x[parent]
        moved = np.where(space.stepped, 1 - np.abs(np.mod(moved, 2) - 1), u)
        switch = self._switch(memo.get("switch", _SWITCH), rng)
        x = space.redraw(moved, self._probability(space, sigma, switch), rng)
        left: dict[str, Any] = {"sigma": np.asarray(sigma).tolist()}
        if self.direction:
            c = _SMOOTHING
            left["path"] = ((1 - c) * path + math.sqrt(c * (2 - c)) * z[1:]).tolist()
        if self.switch == "adaptive":
            left["switch"] = switch
        return hoptim.Proposal(int(population.number[parent]), x, left)

    def _first(self, d: int) -> dict[str, Any]:
        return {"sigma": [_FIRST] * d if self.own else _FIRST}

    def _parent(
        self, view: hoptim.View, row: int, best: NDArray[np.int64], rng: np.random.Generator
    ) -> int | None:
        population = view.population
        healthy, free = bool(population.healthy[row]), view.may_exploit(row, 0)
        if healthy and self.initiator:
            if not free:
                return row
            opponent = int(rng.choice(population.ranking))
            return opponent if population.loss[opponent] < population.loss[row] else row
        if healthy and (row in best or not free):
            return row
        return int(best[rng.integers(len(best))]) if len(best) else None

    def _sigma(
        self,
        population: hoptim.Population,
        parent: int,
        best: NDArray[np.int64],
        z: float,
        rng: np.random.Generator,
    ) -> Any:
        d = population.x.shape[1]
        sigma = np.array(population.memo[parent]["sigma"])
        if self.recombine == "mean":
            sigma = np.exp(np.mean([np.log(population.memo[row]["sigma"]) for row in best], axis=0))
        common = self.rate or 1 / math.sqrt(2 * d)
        grown = sigma * np.exp(common * z)
        if self.own:
            single = self.rate or 1 / math.sqrt(2 * math.sqrt(d))
            grown = grown * np.exp(single * rng.standard_normal(d))
        return np.minimum(np.maximum(grown, _BOUNDS[0]), _BOUNDS[1])

    def _base(
        self,
        population: hoptim.Population,
        parent: int,
        best: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Floats:
        u: Floats = population.x[parent]
        if self.recombine == "mean":
            return np.asarray(population.x[best].mean(axis=0))
        if self.recombine == "each":
            return np.asarray(population.x[rng.choice(best, len(u)), np.arange(len(u))])
        return u

    def _difference(
        self, population: hoptim.Population, best: NDArray[np.int64], rng: np.random.Generator
    ) -> Floats | float:
        rows = best if self.pool == "best" else population.ranking
        if not self.differential or len(rows) < 2:
            return 0.0
        a, b = rng.choice(rows, 2, replace=False)
        return np.asarray(self.differential * (population.x[a] - population.x[b]))

    def _least(self, space: hoptim.Space, u: Floats) -> Floats:
        """Return the least sigma `(d,)`, `cells` values wide for whole numbers and ordinals."""
        return np.array(
            [self.cells * _cell(dim, w) for dim, w in zip(space.dimensions.values(), u, strict=True)]
        )

    def _switch(self, inherited: float, rng: np.random.Generator) -> float:
        if self.switch != "adaptive":
            return _SWITCH
        odds = (1 - inherited) / inherited * math.exp(-0.22 * rng.standard_normal())
        return min(max(1 / (1 + odds), 0.01), 0.5)

    def _probability(self, space: hoptim.Space, sigma: Any, switch: float) -> float:
        if self.switch == "shared":
            return switch / max(1, int(space.switched.sum()))
        if self.switch == "sigma":
            return switch * min(1.0, float(np.mean(sigma)) / _FIRST)
        return switch


def _cell(dim: hoptim.Dimension, u: float) -> float:
    """Return the width of one value in coordinates, 0 for continuous or unordered dimensions."""
    if isinstance(dim, hoptim.Ordinal):
        return 1 / len(dim.values)
    if not isinstance(dim, hoptim.Int):
        return 0.0
    value = dim.decode(min(max(u, 0.0), 1.0))
    low, high = max(value - 1, dim.low), min(value + 1, dim.high)
    return (dim.encode(high) - dim.encode(low)) / (high - low)
