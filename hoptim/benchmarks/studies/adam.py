"""Adam for a population: every member has its own state, learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_MEAN, _SQUARE, _SMALL = 0.9, 0.99, 1e-8
_NORM = 1.0  # largest norm of a member's gradient


class Adam:
    """AdamW of Loshchilov and Hutter 2019 (arXiv 1711.05101), with each member's gradient clipped by norm.

    Args:
        weights: Weights `(n, ...)` by name, which it changes in place.
        kept: Names of weights that do not decay, such as biases.

    Attributes:
        means: Running mean of each gradient.
        squares: Running mean of its square.
    """

    def __init__(self, weights: Mapping[str, Tensor], kept: Sequence[str] = ()) -> None:
        self.means = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self.squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._weights, self._kept = weights, frozenset(kept)

    def step(self, gradients: Mapping[str, Tensor], count: Tensor, lr: Tensor, decay: Tensor) -> None:
        """Change the weights once.

        Args:
            gradients: Gradients `(n, ...)` by name.
            count: Updates `(n,)` of each member, with this one.
            lr: Learning rates `(n,)`.
            decay: Weight decays `(n,)`; the learning rate times it is lost with each update.
        """
        norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()
        clip = (_NORM / (norms + 1e-6)).clamp(max=1)
        keep = 1 - (lr * decay).clamp(max=1)
        for name, gradient in gradients.items():
            weight, mean, square = self._weights[name], self.means[name], self.squares[name]
            axes = (-1, *[1] * (weight.dim() - 1))
            clipped = gradient * clip.view(axes)
            mean.mul_(_MEAN).add_(clipped, alpha=1 - _MEAN)
            square.mul_(_SQUARE).addcmul_(clipped, clipped, value=1 - _SQUARE)
            spread = (square / (1 - _SQUARE**count).view(axes)).sqrt_().add_(_SMALL)
            change = mean / spread * (lr / (1 - _MEAN**count)).view(axes)
            if name not in self._kept:
                weight.mul_(keep.view(axes))
            weight.sub_(change)
