"""Sizes of the image studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageScale:
    """The sizes of a study.

    Attributes:
        training: Images to train on, at most.
        validation: Images to validate on, at most; never more than a third of the training set.
        test: Images of the test, at most.
        batch: Images of an update.
        updates: Updates of an interval.
        depth: Layers of the network.
        width: Factor of its channels.
        first: Channels behind its first convolution.
        coarse: True to halve images of more than 16 pixels, and what the first convolution makes of them.
        together: Members in one graph; those of the next graph are trained after them.
    """

    training: int
    validation: int
    test: int
    batch: int
    updates: int
    depth: int
    width: int
    first: int
    coarse: bool
    together: int


SCALES: Mapping[str, ImageScale] = {
    "small": ImageScale(
        training=300, validation=1000, test=10_000, batch=32, updates=24,
        depth=10, width=1, first=8, coarse=True, together=64,
    ),
    "paper": ImageScale(  # 200 epochs in 20 intervals, as many as Zagoruyko and Komodakis train
        training=45_000, validation=5000, test=10_000, batch=128, updates=3520,
        depth=28, width=10, first=16, coarse=False, together=1,
    ),
}  # fmt: skip
