"""The image study: a population of small residual networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

import hoptim
from hoptim.benchmarks.studies.augmentation import MAGNITUDES, augment
from hoptim.benchmarks.studies.image_data import ImageData, LabelledImages, halved
from hoptim.benchmarks.studies.image_learners import Learners
from hoptim.benchmarks.studies.image_model import Tensors, WideResNet
from hoptim.benchmarks.studies.image_scale import ImageScale
from hoptim.benchmarks.studies.training import PopulationTraining

_LARGEST = 16  # side of the largest images that are not halved, in pixels
_CHUNK = 100  # images that are evaluated at a time


class ImageTraining(PopulationTraining):
    """Networks that are trained on augmented images; their loss is the share of wrong classes.

    Args:
        size: Members.
        data: Data set.
        scale: Sizes of networks and data.
        device: Device that trains. Default: "cpu".
    """

    name = "images"
    steps = 20
    measure = "error"
    peak_lr = 0.1
    hand = {
        "shift": 0.05, "rotate": 0.0, "erase": 0.0, "contrast": 0.1,
        "dropout": 0.1, "smoothing": 0.1, "decay": 1e-3, "lr": 0.1,
    }  # fmt: skip

    def __init__(self, size: int, data: ImageData, scale: ImageScale, device: str = "cpu") -> None:
        super().__init__(size)
        self._scale, self._mirrored, self._device = scale, data.mirrored, device
        self._parts = {name: _on_device(part, device) for name, part in _split(data, scale).items()}
        self._net = WideResNet(
            data.test.images.shape[1], data.classes, scale.depth, scale.width, scale.first,
            stride=2 if scale.coarse else 1,
        )  # fmt: skip
        self._members = Learners.draw(self._net, seed=0).repeat(size, device)

    @property
    def data(self) -> str:
        """Return a fingerprint of all images and labels, and the sizes."""
        digest = sha256()
        for tensors in self._parts.values():
            for one in tensors:
                digest.update(one.cpu().numpy().tobytes())
        return f"{digest.hexdigest()}, {self._scale}"

    @staticmethod
    def space(tune_lr: bool) -> dict[str, hoptim.Dimension]:
        """Return the hyperparameters.

        Args:
            tune_lr: True to tune the learning rate, too, in place of its schedule.
        """
        space = {
            **MAGNITUDES,
            "dropout": hoptim.Float(0.0, 0.8),
            "smoothing": hoptim.Float(0.0, 0.5),
            "decay": hoptim.Float(1e-5, 3e-2, log=True),
        }
        return {**space, "lr": hoptim.Float(3e-3, 1.0, log=True)} if tune_lr else space

    def begin(self, member: int, seed: int) -> None:
        """Draw the weights of a member anew."""
        self.load(member, {name: one[0] for name, one in Learners.draw(self._net, seed).tensors.items()})

    def state(self, member: int) -> Tensors:
        """Return a copy of a member's weights, velocities and running statistics."""
        return {name: one[member].to("cpu", copy=True) for name, one in self._members.tensors.items()}

    def load(self, member: int, state: Mapping[str, Tensor]) -> None:
        """Give a member what `state` returned."""
        for name, one in self._members.tensors.items():
            one[member] = state[name]

    def train(self, params: Sequence[Mapping[str, Any]], ages: Sequence[int], seed: int) -> None:
        """Train all members for one interval.

        Args:
            params: Hyperparameters of each member, with or without the learning rate `lr`.
            ages: Intervals that each member's weights have been trained for.
            seed: Seed of batches, augmentation and dropout.
        """
        generator = torch.Generator(self._device).manual_seed(seed)
        rates = self.learning_rates(params, ages)
        every = [{**one, "lr": rate} for one, rate in zip(params, rates, strict=True)]
        values = {
            name: torch.tensor([float(one[name]) for one in every], device=self._device)
            for name in every[0]
        }
        for group in self._groups():
            chosen = {name: one[group] for name, one in values.items()}
            for _ in range(self._scale.updates):
                self._update(self._members[group], chosen, generator)

    def losses(self, part: str) -> list[float]:
        """Return the share of images that each member classifies wrongly.

        Args:
            part: "validation" or "test".
        """
        images, labels = self._parts[part]
        wrong = torch.zeros(len(self._members), device=self._device)
        for group in self._groups():
            learners = self._members[group]
            for few, right in zip(images.split(_CHUNK), labels.split(_CHUNK), strict=True):
                wrong[group] += (learners.classify(few / 255) != right).sum(1)
        errors: list[float] = (wrong.double() / len(labels)).tolist()
        return errors

    def shown(self, losses: Sequence[float], part: str) -> list[float]:
        """Return errors in percent."""
        return [100 * loss for loss in losses]

    def _groups(self) -> list[slice]:
        together = self._scale.together
        return [slice(first, first + together) for first in range(0, len(self._members), together)]

    def _update(self, learners: Learners, values: Tensors, generator: torch.Generator) -> None:
        images, labels = self._parts["training"]
        size = (len(learners), self._scale.batch)
        rows = torch.randint(len(labels), size, generator=generator, device=self._device)
        augmented = augment(images[rows] / 255, values, generator, self._mirrored)
        learners.update(augmented, labels[rows], values, generator)


class Cifar10Training(ImageTraining):
    """The same for CIFAR-10."""

    name = "cifar10"


class Cifar100Training(ImageTraining):
    """The same for CIFAR-100."""

    name = "cifar100"


def _split(data: ImageData, scale: ImageScale) -> dict[str, LabelledImages]:
    """Return the parts of a data set, always the same, at the size of the scale."""
    order = np.random.default_rng(0).permutation(len(data.training))
    validation, training = np.split(order, [min(scale.validation, len(order) // 3)])
    parts = {
        "training": data.training[training[: scale.training]],
        "validation": data.training[validation],
        "test": data.test[: scale.test],
    }
    if scale.coarse and data.test.images.shape[-1] > _LARGEST:
        return {name: halved(part) for name, part in parts.items()}
    return parts


def _on_device(part: LabelledImages, device: str) -> tuple[Tensor, Tensor]:
    """Return images as bytes, which take a fourth of the memory of floats, and classes."""
    return torch.tensor(part.images, device=device), torch.tensor(part.labels, device=device).long()
