"""Networks of several members with their optimizer: SGD with Nesterov momentum, one graph for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hoptim.benchmarks.studies.image_model import Tensors, WideResNet

_MOMENTUM = 0.9


@dataclass(frozen=True, eq=False)
class Learners:
    """Networks and what their training remembers; the first dimension of each tensor is the member.

    Attributes:
        net: Description of the networks.
        weights: Weights by name.
        velocities: Sums of past gradients, by name of the weights.
        statistics: Running means and variances of the normalisations.
    """

    net: WideResNet
    weights: Tensors
    velocities: Tensors
    statistics: Tensors

    @classmethod
    def draw(cls, net: WideResNet, seed: int) -> Learners:
        """Return one member before its first update.

        Args:
            net: Description of the network.
            seed: Seed of its weights.
        """
        weights = {name: one[None] for name, one in net.draw(seed).items()}
        statistics = {name: one[None] for name, one in net.statistics().items()}
        return cls(net, weights, {name: torch.zeros_like(one) for name, one in weights.items()}, statistics)

    def repeat(self, members: int, device: str) -> Learners:
        """Return copies of the only member on a device."""
        return self._each(lambda one: one.to(device).repeat_interleave(members, 0))

    def __getitem__(self, members: slice) -> Learners:
        return self._each(lambda one: one[members])

    def __len__(self) -> int:
        return len(next(iter(self.weights.values())))

    @property
    def tensors(self) -> Tensors:
        """Return all tensors, not copied, by kind and name."""
        kinds = {"weights": self.weights, "velocities": self.velocities, "statistics": self.statistics}
        return {f"{kind}.{name}": one for kind, named in kinds.items() for name, one in named.items()}

    def update(
        self, images: Tensor, labels: Tensor, values: Mapping[str, Tensor], generator: torch.Generator
    ) -> None:
        """Take a step of SGD in place.

        Args:
            images: Batches `(members, images, channels, side, side)`.
            labels: Classes `(members, images)`.
            values: `lr`, `dropout`, `smoothing` and `decay` of each member.
            generator: Source of the dropout.
        """
        dropout = partial(drop, values["dropout"], generator)
        for name, gradient in self.gradients(images, labels, values["smoothing"], dropout).items():
            weight, velocity = self.weights[name], self.velocities[name]
            decay, rate = (values[one].view(-1, *[1] * (weight.ndim - 1)) for one in ("decay", "lr"))
            slope = gradient + decay * weight
            velocity.mul_(_MOMENTUM).add_(slope)
            weight.sub_(rate * (slope + _MOMENTUM * velocity))

    def gradients(
        self, images: Tensor, labels: Tensor, smoothing: Tensor, dropout: Callable[[Tensor], Tensor]
    ) -> Tensors:
        """Return the gradients of each member's own loss by its weights.

        Args:
            images: Batches `(members, images, channels, side, side)`.
            labels: Classes `(members, images)`.
            smoothing: Label smoothing of each member (Szegedy et al. 2016, arXiv 1512.00567, section 7).
            dropout: Function of activations, as in `WideResNet.logits`.
        """
        weights = {name: one.detach().requires_grad_() for name, one in self.weights.items()}
        logs = self.net.logits(weights, self.statistics, images, dropout).log_softmax(-1)
        right = logs.gather(-1, labels[..., None])[..., 0]
        smooth = smoothing[:, None]
        # No member's loss depends on another's weights, so the gradient of the sum holds those of all.
        loss = -((1 - smooth) * right + smooth * logs.mean(-1)).mean(1).sum()
        return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))

    def classify(self, images: Tensor) -> Tensor:
        """Return the most likely class of each image by member `(members, images)`.

        Args:
            images: Images `(images, channels, side, side)`, the same for all members.
        """
        shared = images.expand(len(self), *images.shape)
        with torch.no_grad():
            return self.net.logits(self.weights, self.statistics, shared).argmax(-1)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Learners:
        kinds = (self.weights, self.velocities, self.statistics)
        return Learners(self.net, *({name: change(one) for name, one in kind.items()} for kind in kinds))


def drop(rates: Tensor, generator: torch.Generator, x: Tensor) -> Tensor:
    """Return activations of which each member's own share is 0; the others grow, which keeps the mean.

    Args:
        rates: Share to drop, by member.
        generator: Source of the random draws.
        x: Activations `(images, members * channels, height, width)`.
    """
    keep = 1 - rates.repeat_interleave(x.shape[1] // len(rates))[:, None, None]
    return x * (torch.rand(x.shape, generator=generator, device=x.device) < keep) / keep
