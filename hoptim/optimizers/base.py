"""What an optimizer is: a frozen configuration with one pure method."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim._arguments import plain
from hoptim.errors import ArgumentError, OptimizerError
from hoptim.optimizers.population import Population
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Proposal:
    """A member's next trial.

    Attributes:
        parent: Number of the trial whose weights it continues from; None starts fresh.
        x: Internal coordinates `(d,)` of its hyperparameters.
        memo: Anything the optimizer wants to find again with this trial; plain JSON.
        retain: Keep this trial's checkpoint until a trial has it as parent, though its member goes on
            elsewhere. Else it is only kept while `view.population` can hold the trial.
        params: All hyperparameters as they are to be trained, where decoding `x` would miss the last bit
            of a given value; None decodes `x`. Either way `x` is their coordinates.
    """

    parent: int | None
    x: NDArray[np.float64]
    memo: Any = None
    retain: bool = False
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class View:
    """Everything that a proposal may depend on, besides the random generator.

    Attributes:
        space: The study's space.
        size: Number of members in the study, more than `len(population)` at the start.
        population: Per member its finished trial with the largest step at most the asker's, so a
            late asker is not compared with neighbours that have trained longer.
        start: Known first configurations by member; partial, may be shorter than `size`.
        steps: Trials of each member, as far as is known when it asks; a study may be extended.
    """

    space: Space
    size: int
    population: Population
    start: Sequence[Mapping[str, Any]] = ()
    _history: Callable[[], Population] = dataclasses.field(default=Population.empty, repr=False)
    _running: Callable[[], Population] = dataclasses.field(default=Population.empty, repr=False)
    steps: int = 1

    @cached_property
    def history(self) -> Population:
        """All finished trials in the order of their numbers, built when first read.

        Later steps than the asker's among them: compare what has trained equally long, by `age`.
        """
        return self._history()

    @cached_property
    def running(self) -> Population:
        """Trials proposed and not finished; their losses are NaN."""
        return self._running()

    def first(self, member: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Coordinates `(d,)` of a member's first trial: its `start` entry, `init`, or a draw."""
        return self.space.first(rng, self.start[member] if member < len(self.start) else None)

    def may_exploit(self, row: int, burn_in: int) -> bool:
        """Whether a member may leave its own healthy weights yet.

        Not for trials of the first `burn_in` steps, nor before half of the members, and at least
        two, have finished the asker's step.
        """
        step = int(self.population.step[row])
        return step + 1 >= burn_in and self.population.reached(step) >= max(2, math.ceil(self.size / 2))


class Optimizer(ABC):
    """Decides each member's next hyperparameters and whose weights they continue.

    Subclass it as a frozen dataclass whose fields are plain JSON values: they are recorded in
    `study.json` and compared when the study is reopened. `hoptim.testing.OptimizerConformance`
    tests the contract below on any subclass.

    **Purity.** `propose` is a function of its arguments alone: no attribute is written, no file,
    clock or global generator is read, and the view is not changed. The same arguments give the
    same proposal, so that a journal can be replayed.

    **Memory.** What must be remembered goes into the proposal's `memo` and comes back in
    `population.memo`, row by row. It is inherited only if the optimizer hands it on.

    **First trials.** A member that is not in the population gets `view.first(member, rng)`, which
    is its `start` entry, else `init`, else a draw, and no parent.

    **Bounds.** `x` holds a coordinate per dimension that `view.space` can decode: in [0, 1] where
    ordered, an index otherwise. Inherited dimensions of a child equal its parent's.

    **Parents.** `parent` is the number, a plain int, of a healthy trial in `view.population`, or
    None; a parent other than the member's own trial is an *exploit*. An older trial, of
    `view.history`, may be a parent once if it was proposed with `retain=True`: until then its
    checkpoint is kept. What is retained and never continued stays on the disk, so retain no more
    than may be wanted. Other checkpoints are dropped and not to be had.

    **Failures.** A trial whose loss is not finite never donates and is never an opponent. In
    population based training its member is rescued: a parent from the best healthy trials or, when
    nobody is healthy, a fresh draw that ignores `init`. A baseline whose members are on their own
    gives it up and begins afresh.

    **Order.** The order of the population's rows carries no meaning.
    """

    def check_space(self, space: Space) -> None:  # noqa: B027 - most can work in any
        """Raise `OptimizerError` unless it can work in a space; asked before a study is made."""

    @abstractmethod
    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        """The next trial of a member.

        Args:
            view: What the study knows when `member` asks.
            member: The member that asks, in `range(view.size)`.
            rng: Generator made from the study's seed and the trial's number.

        Returns:
            Parent, coordinates, and what else the trial is to have.
        """

    def describe(self) -> dict[str, Any]:
        """Name and settings as plain JSON, the optimizer's identity in `study.json`.

        Raises:
            OptimizerError: It is no frozen dataclass, or a setting is no JSON value.
        """
        params = getattr(type(self), "__dataclass_params__", None)
        if params is None or not params.frozen:
            raise OptimizerError(
                f"{type(self).__name__} must be a frozen dataclass, so that its settings can be "
                "recorded: decorate it with @dataclasses.dataclass(frozen=True)."
            )
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        settings = {k: v.describe() if isinstance(v, Optimizer) else v for k, v in found.items()}
        try:
            described: dict[str, Any] = plain(
                {"name": type(self).__name__, **settings}, f"The settings of {self!r}"
            )
        except ArgumentError as error:
            raise OptimizerError(str(error)) from error
        return described


def pick(rows: NDArray[np.int64], rng: np.random.Generator) -> int | None:
    """One of the rows, uniformly; None when there are none."""
    return int(rows[rng.integers(len(rows))]) if len(rows) else None


def check_between(owner: object, name: str, low: float, high: float) -> None:
    """Raise `ArgumentError` unless a setting is a number in [low, high]."""
    value = getattr(owner, name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high:
        kind = type(owner).__name__
        raise ArgumentError(f"{kind}: {name} must be a number from {low} to {high}, found {value!r}.")


def check_pair(owner: object, name: str) -> None:
    """Raise `ArgumentError` unless a setting is a pair of finite numbers above 0; keep it a tuple."""
    value = getattr(owner, name)
    pair = tuple(value) if isinstance(value, Sequence) else ()
    if len(pair) != 2 or not all(isinstance(v, (int, float)) and 0 < v < math.inf for v in pair):
        raise ArgumentError(
            f"{type(owner).__name__}: {name} must be two finite numbers above 0, found {value!r}."
        )
    object.__setattr__(owner, name, pair)
