"""The generation of another study that a fork begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoptim._arguments import json_metric
from hoptim.errors import ArgumentError
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.line_format import Record
from hoptim.store.published import Published
from hoptim.store.state import State
from hoptim.store.transactions import Transaction


@dataclass(frozen=True)
class AdoptedTrial:
    """One member's first trial in a fork: asked and told at once, as it was told in the other study.

    Attributes:
        params: Hyperparameters, plain JSON.
        x: Coordinates of the hyperparameters, `(d,)`.
        memo: Memo of the optimizer, plain JSON.
        retain: True if the checkpoint stays until a trial continues from it.
        origin: Number of the trial in the other study.
        age: Age of the trial in the other study.
        seed: Seed of the trial in the other study.
        value: Value that was told; NaN if the trial failed, None if it was trained and not valued.
        metrics: Metrics that were told.
        checkpoint: Path of the checkpoint in the other study; None without one.
        worker: Name in a worker's place; `GIVEN` of a trial that was not trained in the other study either.
    """

    params: dict[str, Any]
    x: list[float]
    memo: Any
    retain: bool
    origin: int
    age: int
    seed: int
    value: float | None
    metrics: Mapping[str, Any] | None
    checkpoint: str | None
    worker: str

    def ask(self, member: int) -> Record:
        """Return the fields of the record that asks the trial for a member."""
        fields: Record = {
            "trial": member, "member": member, "step": 0, "parent": None, "x": self.x,
            "params": self.params, "memo": self.memo, "worker": self.worker, "origin": self.origin,
            "age": self.age, "seed": self.seed,
        }  # fmt: skip
        return fields | ({"retain": True} if self.retain else {})

    def tell(self, member: int, token: int, published: Published | None) -> Record:
        """Return the fields of the record that ends the trial.

        Args:
            member: Member that it was asked for.
            token: Record number of the ask.
            published: Its checkpoint in this study, None without one.
        """
        fields: Record = {"trial": member, "token": token, "value": json_metric(self.value)}
        if self.metrics:
            fields["metrics"] = {name: json_metric(metric) for name, metric in self.metrics.items()}
        return fields | ({} if published is None else {"checkpoint": published.record()})


def publish_generation(
    checkpoints: Checkpoints, state: State, generation: Sequence[AdoptedTrial]
) -> list[Published | None]:
    """Publish the checkpoints of a generation under the tokens that `record_generation` will give.

    Args:
        checkpoints: Files of the fork.
        state: State of the fork, which has no trials.
        generation: One trial for each member, in order.

    Returns:
        The checkpoint of each, None without one.
    """
    return [
        None
        if adopted.checkpoint is None
        else checkpoints.adopt(adopted.checkpoint, Draft.new(member, _token(state.n, member)))
        for member, adopted in enumerate(generation)
    ]


def record_generation(
    transaction: Transaction,
    generation: Sequence[AdoptedTrial],
    published: Sequence[Published | None],
) -> None:
    """Record a generation, each trial as asked and told at once.

    Args:
        transaction: Takes the records.
        generation: One trial for each member, in order.
        published: The checkpoint of each, as `publish_generation` gave them.

    Raises:
        ArgumentError: The study has trials already, or another number of members.
    """
    state, first = transaction.state, transaction.state.n
    if state.count or len(generation) != state.size:
        raise ArgumentError(
            f"A generation of {len(generation)} trials cannot begin a study of {state.size} members "
            f"with {state.count} trials; it begins a new study of its own size."
        )
    for member, adopted in enumerate(generation):
        transaction.add("ask", **adopted.ask(member))
        transaction.add("tell", **adopted.tell(member, _token(first, member), published[member]))


def _token(first: int, member: int) -> int:
    """Record number of a member's ask, each of which is followed by its tell."""
    return first + 2 * member
