"""Options and commands of the image studies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

import hoptim
from hoptim.benchmarks.run_options import path_to
from hoptim.benchmarks.studies.image_data import ImageData, load_digits, read_cifar, read_fashion_mnist
from hoptim.benchmarks.studies.image_scale import SCALES
from hoptim.benchmarks.studies.study_options import StudyOptions
from hoptim.benchmarks.studies.study_report import study_benchmark
from hoptim.benchmarks.studies.training import PopulationTraining

_CLASSES = {"cifar10": 10, "cifar100": 100}
_TUNED = """They tune magnitudes of the augmentation, dropout, label smoothing and the weight decay.
--scale paper is a Wide-ResNet-28-10."""


@dataclass(frozen=True)
class ImageOptions(StudyOptions):
    """The number of runs, the methods, and the images.

    Args:
        data: Folder of Fashion-MNIST's four idx files, plain or `.gz`. Default: None, which takes
            scikit-learn's digits.

    Attributes:
        study: Name of the study.
    """

    data: Path | None = field(
        default=None,
        metadata=path_to("folder of Fashion-MNIST's four idx files, plain or .gz, instead of digits"),
    )

    study: ClassVar[str] = "images"

    @property
    def training(self) -> Callable[[int], PopulationTraining]:
        """Return the function of a size that makes a population to train; it can be pickled."""
        return partial(_images, self.study, self.data, self.scale)


@dataclass(frozen=True)
class CifarOptions(ImageOptions):
    """The options of a study of CIFAR.

    Args:
        data: Folder of the files of CIFAR's binary version.
    """

    data: Path | None = field(default=None, metadata=path_to("folder of its binary version", required=True))


@dataclass(frozen=True)
class Cifar10Options(CifarOptions):
    """The options of the study of CIFAR-10."""

    study: ClassVar[str] = "cifar10"


@dataclass(frozen=True)
class Cifar100Options(CifarOptions):
    """The options of the study of CIFAR-100."""

    study: ClassVar[str] = "cifar100"


IMAGES = study_benchmark(
    ImageOptions,
    name="images",
    summary="a small residual network on few images of Fashion-MNIST, or on digits (needs PyTorch)",
    description="Trains populations of small residual networks on few images and compares the methods by "
    f"the share of wrong classes, in percent. {_TUNED}",
)
CIFAR10 = study_benchmark(
    Cifar10Options,
    name="cifar10",
    summary="the same on CIFAR-10 (needs PyTorch and the files)",
    description="Trains populations of residual networks on CIFAR-10: data_batch_1.bin to data_batch_5.bin "
    f"and test_batch.bin. {_TUNED}",
)
CIFAR100 = study_benchmark(
    Cifar100Options,
    name="cifar100",
    summary="the same on CIFAR-100 (needs PyTorch and the files)",
    description=f"Trains populations of residual networks on CIFAR-100: train.bin and test.bin. {_TUNED}",
)


def _images(study: str, folder: Path | None, scale: str, size: int) -> PopulationTraining:
    import torch

    from hoptim.benchmarks.studies.images import Cifar10Training, Cifar100Training, ImageTraining

    device = "cuda" if scale == "paper" and torch.cuda.is_available() else "cpu"
    kinds = {kind.name: kind for kind in (ImageTraining, Cifar10Training, Cifar100Training)}
    return kinds[study](size, _data(study, folder), SCALES[scale], device)


@cache
def _data(study: str, folder: Path | None) -> ImageData:
    """Return the data of a study, read once in a process."""
    if study in _CLASSES:
        if folder is None:
            raise hoptim.ArgumentError(f"{study} needs the folder of its binary version: data=...")
        return read_cifar(folder, _CLASSES[study])
    return load_digits() if folder is None else read_fashion_mnist(folder)
