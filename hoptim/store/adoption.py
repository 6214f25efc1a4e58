"""Trials of another study that a fork begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoptim._text import json_number
from hoptim.store.line_format import Record


@dataclass(frozen=True)
class AdoptedTrial:
    """One member's first trial in a fork: asked and told at once, as it was told in the other study.

    Attributes:
        params: Hyperparameters, plain JSON.
        x: Coordinates of the hyperparameters, `(d,)`.
        memo: Memo of the optimizer, plain JSON.
        retain: Whether the checkpoint stays until a trial continues from it.
        origin: Number of the trial in the other study.
        age: Age of the trial in the other study.
        seed: Seed of the trial in the other study.
        value: Value that was told; NaN if the trial failed.
        metrics: Metrics that were told.
        checkpoint: Path of the checkpoint in the other study; None without one.
    """

    params: dict[str, Any]
    x: list[float]
    memo: Any
    retain: bool
    origin: int
    age: int
    seed: int
    value: float
    metrics: Mapping[str, float] | None
    checkpoint: str | None

    def ask(self, member: int) -> Record:
        """Return the fields of the record that asks the trial for a member."""
        fields: Record = {
            "trial": member, "member": member, "step": 0, "parent": None, "x": self.x,
            "params": self.params, "memo": self.memo, "worker": "fork", "origin": self.origin,
            "age": self.age, "seed": self.seed,
        }  # fmt: skip
        return fields | ({"retain": True} if self.retain else {})

    def tell(self, member: int, token: int, first_saved: bool) -> Record:
        """Return the fields of the record that ends the trial.

        Args:
            member: Member that it was asked for.
            token: Record number of the ask.
            first_saved: Whether it is the study's first with a checkpoint, which decides that trials
                have them.
        """
        fields: Record = {"trial": member, "token": token, "value": json_number(self.value)}
        if self.metrics:
            fields["metrics"] = {name: json_number(metric) for name, metric in self.metrics.items()}
        return fields | ({"saved": True} if first_saved else {})
