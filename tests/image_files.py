"""Small data sets in the exact formats of the idx files and of CIFAR's binary version."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from hoptim.benchmarks.studies.image_data import LabelledImages

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR10 = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def made(count: int, shape: tuple[int, int, int], classes: int, seed: int) -> LabelledImages:
    """Return random images, brighter the higher their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count, dtype=np.uint8)
    images = rng.integers(128, size=(count, *shape), dtype=np.uint8)
    return LabelledImages(images + (labels * (120 // classes))[:, None, None, None], labels)


def write_idx(
    folder: Path, *, packed: bool = False, side: int = 8
) -> tuple[LabelledImages, LabelledImages]:
    """Write 30 images for training and 12 for the test; return both parts."""
    parts = made(30, (1, side, side), 10, 0), made(12, (1, side, side), 10, 1)
    contents = []
    for part in parts:
        sizes = b"".join(size.to_bytes(4, "big") for size in (len(part), side, side))
        contents += [b"\0\0\x08\x03" + sizes + part.images.tobytes()]
        contents += [b"\0\0\x08\x01" + sizes[:4] + part.labels.tobytes()]
    for name, content in zip(IDX, contents, strict=True):
        file = folder / (f"{name}.gz" if packed else name)
        file.write_bytes(gzip.compress(content) if packed else content)
    return parts


def write_cifar10(folder: Path) -> tuple[LabelledImages, LabelledImages]:
    """Write five batches and a test of 6 images each; return both parts."""
    training, test = made(30, (3, 32, 32), 10, 0), made(6, (3, 32, 32), 10, 1)
    for number, name in enumerate(CIFAR10[:5]):
        (folder / name).write_bytes(_records(training[6 * number : 6 * number + 6]))
    (folder / CIFAR10[5]).write_bytes(_records(test))
    return training, test


def write_cifar100(folder: Path) -> tuple[LabelledImages, LabelledImages]:
    """Write 30 images for training and 6 for the test, with coarse labels before the fine ones."""
    parts = made(30, (3, 32, 32), 100, 0), made(6, (3, 32, 32), 100, 1)
    for name, part in zip(("train.bin", "test.bin"), parts, strict=True):
        (folder / name).write_bytes(_records(part, coarse=True))
    return parts


def _records(part: LabelledImages, coarse: bool = False) -> bytes:
    fine = part.labels[:, None]
    pixels = part.images.reshape(len(part), -1)
    return np.concatenate([fine // 5, fine, pixels] if coarse else [fine, pixels], axis=1).tobytes()
