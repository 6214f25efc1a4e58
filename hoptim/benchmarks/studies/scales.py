"""Sizes of the language studies: what a core can carry, and what the paper trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hoptim.benchmarks.studies.text import Limits


@dataclass(frozen=True)
class Scale:
    """A size of text, model and training.

    Args:
        limits: Largest vocabulary, and the words that are read of each part.
        model: Arguments of `Transformer` beside the vocabulary. Default: its defaults.
        rows: Rows that the training part is cut into, read side by side. Default: 6.
        updates: Updates of an interval. Default: 20.
        peak_lr: Learning rate at the beginning of a run. Default: 0.015.
        gpu: Train on a GPU, with bf16 and a compiled graph. Default: False.
    """

    limits: Limits
    model: Mapping[str, int] = field(default_factory=dict)
    rows: int = 6
    updates: int = 20
    peak_lr: float = 0.015
    gpu: bool = False


SCALES: Mapping[str, Scale] = {
    # So few words are soon learnt by heart, which makes regularisation matter as it does at full size.
    "small": Scale(Limits(vocabulary=500, train=4000, validation=6000, test=18_000)),
    # 24 million parameters with the vocabulary of the Penn Treebank, and about 100 passes through it.
    "paper": Scale(
        Limits(vocabulary=10_000),
        {"layers": 16, "width": 380, "heads": 10, "inner": 900, "segment": 150, "memory": 150},
        rows=12, updates=2500, peak_lr=1e-3, gpu=True,
    ),
}  # fmt: skip
