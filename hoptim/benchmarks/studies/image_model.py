"""Wide residual networks (Zagoruyko and Komodakis 2016, arXiv 1605.07146), many of them in one graph.

A network is a description without tensors; weights are a dict of tensors whose first dimension is the
member. The channels of all members lie side by side, and a convolution has a group for each member, so that
one call computes what each member would compute alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

Tensors = dict[str, Tensor]

_STATISTICS_RATE = 0.1  # of the running mean and variance, as in torch


class _Block(NamedTuple):
    """Two convolutions beside a shortcut, which is a convolution where the number of channels changes."""

    name: str
    inputs: int
    outputs: int
    stride: int


@dataclass(frozen=True)
class WideResNet:
    """A network of three stages, the second and third of which halve height and width.

    Args:
        channels: Channels of the images.
        classes: Number of classes.
        depth: Layers: 4 and 6 for each block of a stage. Default: 10, one block.
        width: Factor of the stages' channels. Default: 1.
        first: Channels behind the first convolution; the stages have `width` times 1, 2 and 4 of them.
            Default: 16.
        stride: Stride of the first convolution. Default: 1.
    """

    channels: int
    classes: int
    depth: int = 10
    width: int = 1
    first: int = 16
    stride: int = 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of a member's weights by name."""
        found: dict[str, tuple[int, ...]] = {"first": (self.first, self.channels, 3, 3)}
        for block in self._blocks():
            found |= _norm(f"{block.name}.norm1", block.inputs)
            found |= _norm(f"{block.name}.norm2", block.outputs)
            found[f"{block.name}.conv1"] = (block.outputs, block.inputs, 3, 3)
            found[f"{block.name}.conv2"] = (block.outputs, block.outputs, 3, 3)
            if block.inputs != block.outputs:
                found[f"{block.name}.shortcut"] = (block.outputs, block.inputs, 1, 1)
        last = 4 * self.width * self.first
        found |= _norm("norm", last)
        return {**found, "classes.weight": (self.classes, last), "classes.bias": (self.classes,)}

    @property
    def parameters(self) -> int:
        """Return the number of a member's weights."""
        return sum(map(math.prod, self.shapes.values()))

    def draw(self, seed: int) -> Tensors:
        """Return the first weights of one member (He et al. 2015, arXiv 1502.01852), without its dimension.

        Args:
            seed: Seed of the draws.
        """
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, shape in self.shapes.items():
            if len(shape) > 1:
                deviation = math.sqrt(2 / math.prod(shape[1:]))
                weights[name] = deviation * torch.randn(shape, generator=generator)
            else:
                weights[name] = torch.full(shape, float(name.endswith("scale")))
        return weights

    def statistics(self) -> Tensors:
        """Return the running means and variances of one member before the first update."""
        found: Tensors = {}
        for name, shape in self.shapes.items():
            if name.endswith(".scale"):
                layer = name.removesuffix(".scale")
                found |= {f"{layer}.mean": torch.zeros(shape), f"{layer}.variance": torch.ones(shape)}
        return found

    def logits(
        self,
        weights: Mapping[str, Tensor],
        statistics: Mapping[str, Tensor],
        images: Tensor,
        drop: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Return the logits `(members, images, classes)`.

        Args:
            weights: Weights by name, with the members as first dimension.
            statistics: Running means and variances likewise; training updates them in place.
            images: Images `(members, images, channels, height, width)`.
            drop: Dropout, a function of activations `(images, members * channels, height, width)`, called
                between the convolutions of each block. Default: None, which evaluates instead of training.
        """
        members, count = images.shape[:2]

        def convolve(x: Tensor, name: str, stride: int = 1) -> Tensor:
            kernel = weights[name]
            return functional.conv2d(
                x, kernel.flatten(0, 1), stride=stride, padding=kernel.shape[-1] // 2, groups=members
            )

        def normalise(x: Tensor, name: str) -> Tensor:
            mean, variance = (statistics[f"{name}.{kind}"].view(-1) for kind in ("mean", "variance"))
            scale, shift = (weights[f"{name}.{kind}"].flatten() for kind in ("scale", "shift"))
            normal = functional.batch_norm(
                x, mean, variance, scale, shift, training=drop is not None, momentum=_STATISTICS_RATE
            )
            return functional.relu(normal)

        x = convolve(images.transpose(0, 1).flatten(1, 2), "first", self.stride)
        for name, inputs, outputs, stride in self._blocks():
            y = normalise(x, f"{name}.norm1")
            around = x if inputs == outputs else convolve(y, f"{name}.shortcut", stride)
            y = normalise(convolve(y, f"{name}.conv1", stride), f"{name}.norm2")
            x = around + convolve(y if drop is None else drop(y), f"{name}.conv2")
        features = normalise(x, "norm").mean((2, 3)).view(count, members, -1).transpose(0, 1)
        return torch.baddbmm(
            weights["classes.bias"][:, None], features, weights["classes.weight"].transpose(1, 2)
        )

    def _blocks(self) -> Iterator[_Block]:
        inputs = self.first
        for stage, outputs in enumerate(self.first * self.width * factor for factor in (1, 2, 4)):
            for number in range((self.depth - 4) // 6):
                yield _Block(f"stage{stage}.{number}", inputs, outputs, 2 if stage and not number else 1)
                inputs = outputs


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.scale": (channels,), f"{name}.shift": (channels,)}
