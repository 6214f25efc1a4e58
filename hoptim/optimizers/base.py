"""Interface of an optimizer: a frozen configuration with one pure method."""

from __future__ import annotations

import dataclasses
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from hoptim._arguments import plain
from hoptim._text import shown
from hoptim.errors import ArgumentError, OptimizerError
from hoptim.optimizers.population import Population, Row
from hoptim.optimizers.summary import Summary
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

Kept = TypeVar("Kept", bound=Summary)


@dataclass(eq=False)  # frozen, each field would be set by a slow call
class Proposal:
    """A member's next trial.

    Attributes:
        parent: Number of the trial whose weights it continues from; None starts with fresh weights.
        x: Internal coordinates `(d,)` of its hyperparameters.
        memo: Plain JSON that the optimizer finds again with this trial. Default: None.
        retain: True to keep this trial's checkpoint until a trial has it as parent, even if its member
            continues another. Default: False, kept only while `view.population` can hold the trial.
        params: All hyperparameters exactly as they are to be trained, for values whose last bit decoding
            `x` would miss; `x` must be their coordinates. Default: None, decode `x`.
    """

    parent: int | None
    x: NDArray[np.float64]
    memo: Any = None
    retain: bool = False
    params: Mapping[str, Any] | None = None


@dataclass(eq=False)  # made for one proposal; what decisions share, its population, is frozen
class View:
    """Everything that a proposal may depend on, besides the random generator.

    Attributes:
        space: Space of the study.
        size: Number of members in the study; more than `len(population)` at the start.
        population: Latest finished trial of each member up to the asking member's step, so that a late
            asker is not compared with members that have trained longer. Without those that were trained and
            not valued.
        start: Known first configurations by member; partial, may be shorter than `size`. Default: none.
        steps: Trials of each member as planned at this ask; a study may be extended later.
    """

    space: Space
    size: int
    population: Population
    start: Sequence[Mapping[str, Any]] = ()
    _history: Callable[[], Population] = dataclasses.field(default=Population.empty, repr=False)
    _running: Callable[[], Population] = dataclasses.field(default=Population.empty, repr=False)
    steps: int = 1
    _summary: Callable[..., Any] | None = dataclasses.field(default=None, repr=False)

    @cached_property
    def history(self) -> Population:
        """Return all finished trials with a value in the order of their numbers; built when first read.

        They include later steps than the asking member's: compare trials of the same `age`.
        """
        return self._history()

    @cached_property
    def running(self) -> Population:
        """Return the trials proposed whose value is awaited; their losses are NaN."""
        return self._running()

    def summary(self, kind: Callable[..., Kept], *settings: Hashable) -> Kept:
        """Return a `Summary` of all trials, `kind(*settings)`; the study keeps it from ask to ask.

        Args:
            kind: Class of the summary.
            settings: Arguments that it is made with; others make another one.
        """
        if self._summary is not None:
            return self._summary(kind, *settings)  # type: ignore[no-any-return]
        made = kind(*settings)
        for trial in self.history.rows():
            made.begun(trial)
            made.ended(trial)
        for trial in self.running.rows():
            made.begun(trial)
        return made

    def first(self, member: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return coordinates `(d,)` of a first trial: the `start` entry, else `init`, else a draw."""
        return self.space.first(rng, self.start[member] if member < len(self.start) else None)

    def may_exploit(self, row: int, burn_in: int) -> bool:
        """Tell whether a member may replace its own healthy weights yet.

        It may not during the first `burn_in` steps, nor before half of the members, and at least two, have
        finished the asking member's step.

        Args:
            row: Row of the asking member in `population`.
            burn_in: Steps at the start during which it may not.
        """
        step = int(self.population.step[row])
        return step + 1 >= burn_in and self.population.reached(step) >= max(2, math.ceil(self.size / 2))


class Optimizer(ABC):
    """A search algorithm: proposes each member's next hyperparameters and the parent of its weights.

    Subclass it as a frozen dataclass whose fields are plain JSON values: they are recorded in
    `study.json` and compared when the study is reopened. `hoptim.testing.OptimizerConformance`
    tests the contract below on any subclass.

    **Purity.** `propose` is a function of its arguments alone: no attribute is written, no file,
    clock or global generator is read, and the view is not changed. The same arguments give the
    same proposal, so that a journal can be replayed.

    **Memory.** State that must be remembered goes into the proposal's `memo` and comes back in
    `population.memo`, row by row. A child has its parent's only if the optimizer copies it.

    **First trials.** A member that is not in the population gets `view.first(member, rng)`, which
    is its `start` entry, else `init`, else a draw, and no parent.

    **Bounds.** `x` holds one coordinate per dimension that `view.space` can decode: in [0, 1] for ordered
    dimensions, an index for others. Inherited dimensions of a child equal its parent's.

    **Parents.** `parent` is the number, a plain int, of a healthy trial in `view.population`, or
    None; a parent other than the member's own trial is an *exploit*. An older trial, of
    `view.history`, may be a parent once if it was proposed with `retain=True`: until then its
    checkpoint is kept. A checkpoint that is retained and never continued stays on the disk, so retain
    few. Other checkpoints are deleted and cannot be loaded.

    **Ties.** A healthy member copies only the weights of a strictly better trial. If it would copy an
    equal it keeps its own, and its hyperparameters change as if it had copied; inherited dimensions
    stay. Otherwise ties would go to the lower trial number, and while all values are equal the weights of
    the first member would replace all others.

    **Failures.** A trial whose loss is not finite never donates and is never an opponent. In
    population based training its member is rescued: its parent is one of the best healthy trials or, if
    no trial is healthy, it starts from a fresh draw that ignores `init`. A baseline with independent
    members starts afresh.

    **Trials without a value.** A member whose trial was trained and not valued, by `Trial.advance`, goes on
    by `proceed`, which decides nothing; that trial is in no population and not in the history. The next one
    with a value stands for all since: its `parent` is the last one with a value before, and its `span` says
    how many intervals they were. What depends on a count of steps or intervals is due at the first value
    after, as if in the last `span` of them.

    **Order.** The order of the population's rows carries no meaning.
    """

    def check_space(self, space: Space) -> None:  # noqa: B027 - most can work in any
        """Raise `OptimizerError` unless it can work in a space; called before a study is made."""

    @abstractmethod
    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        """Propose a member's next trial.

        Args:
            view: State of the study at this ask.
            member: Member that asks, in `range(view.size)`.
            rng: Generator made from the study's seed and the trial's number.

        Returns:
            Parent, coordinates `(d,)` and, optionally, memo and exact hyperparameters of the trial.
        """

    def proceed(self, trial: Row, space: Space) -> Proposal:
        """Return a member's next trial after one that was trained and not valued: no decision is made.

        Args:
            trial: The one without a value, whose weights are continued; its loss is NaN.
            space: Space of the study.

        Returns:
            The same weights, hyperparameters and memo. An optimizer whose hyperparameters are given by the
            age of the weights returns others.
        """
        return Proposal(trial.number, np.array(trial.x, dtype=float), trial.memo)

    def describe(self) -> dict[str, Any]:
        """Return name and settings as plain JSON, the optimizer's identity in `study.json`.

        Raises:
            OptimizerError: The class is no frozen dataclass, or a setting is no JSON value.
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


class Perturbation(Protocol):
    """Settings of an optimizer that explores by `Space.perturb`."""

    @property
    def factors(self) -> tuple[float, float]:
        """Return the two factors."""

    @property
    def resample(self) -> float:
        """Return the probability of a fresh draw per hyperparameter."""


def pick(rows: NDArray[np.int64], rng: np.random.Generator) -> int | None:
    """Return one of the rows, drawn uniformly; None if there are none."""
    return int(rows[rng.integers(len(rows))]) if len(rows) else None


def check_between(owner: object, name: str, low: float, high: float) -> None:
    """Raise `ArgumentError` unless a setting is a number in [low, high]."""
    value = getattr(owner, name)
    if not _is_finite(value) or not low <= value <= high:
        kind = type(owner).__name__
        raise ArgumentError(f"{kind}: {name} must be a number from {low} to {high}, found {shown(value)}.")


def check_pair(owner: object, name: str) -> None:
    """Raise `ArgumentError` unless a setting is a pair of finite numbers above 0; store it as a tuple."""
    value = getattr(owner, name)
    pair = tuple(value) if isinstance(value, Sequence) else ()
    if len(pair) != 2 or not all(_is_finite(v) and v > 0 for v in pair):
        raise ArgumentError(
            f"{type(owner).__name__}: {name} must be two finite numbers above 0, found {shown(value)}."
        )
    object.__setattr__(owner, name, pair)


def _is_finite(value: Any) -> bool:
    """Tell whether a value is a plain number that a float can hold."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max


def check_perturbation(owner: Perturbation) -> None:
    """Raise `ArgumentError` unless the settings `factors`, `resample` and `burn_in` are in their ranges."""
    check_pair(owner, "factors")
    check_between(owner, "resample", 0, 1)
    check_between(owner, "burn_in", 0, math.inf)
