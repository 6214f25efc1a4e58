"""Labelled images: Fashion-MNIST from its idx files, CIFAR from its binary version, and digits.

Every byte is accounted for before anything is trained; an error names the file and the offset in it, which
for a `.gz` file is the offset in what it contains.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hoptim

Bytes = NDArray[np.uint8]

_SIDE = 32  # of CIFAR's images, in pixels
_PIXELS = 3 * _SIDE * _SIDE
_CIFAR = {  # by number of classes: files to train and to test, and the classes of each of a record's labels
    10: ([f"data_batch_{number}.bin" for number in range(1, 6)], "test_batch.bin", (10,)),
    100: (["train.bin"], "test.bin", (20, 100)),
}
_TRAINING_SHARE = 5  # both versions of CIFAR have 50,000 images to train and 10,000 to test


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with their classes.

    Attributes:
        images: Bytes `(images, channels, height, width)`.
        labels: Class of each image.
    """

    images: Bytes
    labels: Bytes

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> LabelledImages:
        return LabelledImages(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set.

    Attributes:
        name: Name in headings.
        classes: Number of classes.
        training: Images to train and to validate.
        test: Images for the test.
        mirrored: True where an image and its mirror image are of one class. Default: False.
    """

    name: str
    classes: int
    training: LabelledImages
    test: LabelledImages
    mirrored: bool = False


def read_fashion_mnist(folder: Path) -> ImageData:
    """Read the four idx files of Fashion-MNIST, or of MNIST, each plain or as `.gz`.

    Args:
        folder: Folder of the files.

    Raises:
        ArgumentError: A file is missing, damaged, or does not fit the others.
    """
    training, test = (_read_idx_pair(folder, part) for part in ("train", "t10k"))
    if training.images.shape[1:] != test.images.shape[1:]:
        raise hoptim.ArgumentError(
            f"The images for training and for the test in {str(folder)!r} must have one size, "
            f"found {_size(training)} and {_size(test)} (both from offset 8)."
        )
    return ImageData("Fashion-MNIST", 10, training, test)


def read_cifar(folder: Path, classes: int) -> ImageData:
    """Read the binary version of CIFAR-10 or CIFAR-100.

    Args:
        folder: Folder of the files: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or
            `train.bin` and `test.bin`.
        classes: 10 or 100.

    Raises:
        ArgumentError: A file is missing, damaged, or shorter or longer than the others show.
    """
    names, test_name, labels = _CIFAR[classes]
    test = _read_records(folder / test_name, labels)
    batches = []
    for name in names:
        batch = _read_records(folder / name, labels)
        expected = len(test) * _TRAINING_SHARE // len(names)
        if len(batch) != expected:
            offset = min(expected, len(batch)) * (len(labels) + _PIXELS)
            raise hoptim.ArgumentError(
                f"{str(folder / name)!r} must have {expected} records, as {test_name} has {len(test)}, "
                f"found {len(batch)}; what is missing or too much begins at offset {offset}."
            )
        batches.append(batch)
    images = np.concatenate([batch.images for batch in batches])
    training = LabelledImages(images, np.concatenate([batch.labels for batch in batches]))
    return ImageData(f"CIFAR-{classes}", classes, training, test, mirrored=True)


def load_digits() -> ImageData:
    """Return scikit-learn's digits, a third of them for the test, always the same.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise hoptim.MissingExtra.of(
            "Without the folder of Fashion-MNIST in --data, scikit-learn's digits are needed", "examples"
        ) from error
    values, labels = datasets.load_digits(return_X_y=True)
    images = np.round(values * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    digits = LabelledImages(images, labels.astype(np.uint8))
    order = np.random.default_rng(0).permutation(len(digits))
    test, training = np.split(order, [len(digits) // 3])
    return ImageData("digits", 10, digits[training], digits[test])


def halved(data: LabelledImages) -> LabelledImages:
    """Return images of half the height and width, each pixel the mean of four; both must be even."""
    count, channels, height, width = data.images.shape
    fours = data.images.reshape(count, channels, height // 2, 2, width // 2, 2)
    return LabelledImages(np.round(fours.mean(axis=(3, 5))).astype(np.uint8), data.labels)


# -- idx -----------------------------------------------------------------------------------------------


def _read_idx_pair(folder: Path, part: str) -> LabelledImages:
    images_file, images = _read_idx(folder, f"{part}-images-idx3-ubyte", dimensions=3)
    labels_file, labels = _read_idx(folder, f"{part}-labels-idx1-ubyte", dimensions=1)
    if len(images) != len(labels):
        raise hoptim.ArgumentError(
            f"{str(labels_file)!r} must have a label for each image of {images_file.name}, "
            f"found {len(labels)} labels and {len(images)} images (both at offset 4)."
        )
    _check_labels(labels_file, labels, 10, range(8, 8 + len(labels)))
    return LabelledImages(images[:, None], labels)


def _read_idx(folder: Path, name: str, dimensions: int) -> tuple[Path, Bytes]:
    """Return the file and its array, whose first dimension counts images or labels."""
    file = _find(folder, [name, f"{name}.gz"])
    content, header = _read(file), 4 + 4 * dimensions
    magic = bytes([0, 0, 8, dimensions])
    if content[:4] != magic:
        raise hoptim.ArgumentError(
            f"{str(file)!r} must be an idx file of bytes in {dimensions} dimensions, which has the magic "
            f"number {magic.hex(' ')} at offset 0, found {content[:4].hex(' ') or 'nothing'}."
        )
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) < header or len(content) != expected:
        raise hoptim.ArgumentError(
            f"{str(file)!r} must end at offset {max(expected, header)}, as its header says "
            f"({' x '.join(map(str, shape))} bytes behind it), found its end at offset {len(content)}."
        )
    if 0 in shape:
        raise hoptim.ArgumentError(f"{str(file)!r} is empty: a size at offset 4 or later is 0.")
    if dimensions == 3 and (shape[1] != shape[2] or shape[1] % 2):
        raise hoptim.ArgumentError(
            f"{str(file)!r} must have square images of an even size, such as 28 x 28, "
            f"found {shape[1]} x {shape[2]} (from offset 8)."
        )
    return file, np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _size(data: LabelledImages) -> str:
    return " x ".join(map(str, data.images.shape[2:]))


# -- CIFAR ---------------------------------------------------------------------------------------------


def _read_records(file: Path, classes: tuple[int, ...]) -> LabelledImages:
    """Read records of labels and pixels; the last of the labels, which is the finest, is kept.

    Args:
        file: File of CIFAR's binary version.
        classes: Number of classes of each of a record's labels.
    """
    content = _read(_find(file.parent, [file.name]))
    length = len(classes) + _PIXELS
    whole = len(content) // length
    if len(content) % length or not whole:
        raise hoptim.ArgumentError(
            f"{str(file)!r} must have records of {length} bytes each, found record {whole} from offset "
            f"{whole * length} cut off at the file's end, offset {len(content)}."
        )
    records = np.frombuffer(content, np.uint8).reshape(whole, length)
    for column, count in enumerate(classes):
        _check_labels(file, records[:, column], count, range(column, len(content), length))
    images = records[:, len(classes) :].reshape(whole, 3, _SIDE, _SIDE)
    return LabelledImages(images, records[:, len(classes) - 1])


# -- files ---------------------------------------------------------------------------------------------


def _check_labels(file: Path, labels: Bytes, classes: int, offsets: range) -> None:
    """Raise `ArgumentError` for the first label that is no class."""
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise hoptim.ArgumentError(
            f"{str(file)!r} must have labels from 0 to {classes - 1}, found {labels[wrong[0]]} "
            f"at offset {offsets[wrong[0]]}."
        )


def _find(folder: Path, names: Iterable[str]) -> Path:
    """Return the first of several files that exists in a folder."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise hoptim.ArgumentError(f"{str(folder)!r} must have the file {' or '.join(names)}, found none.")


def _read(file: Path) -> bytes:
    """Return a file's bytes, unpacked if it is a `.gz` file."""
    if file.suffix != ".gz":
        return file.read_bytes()
    content = bytearray()
    try:
        with gzip.open(file) as stream:
            while chunk := stream.read(1 << 20):
                content += chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise hoptim.ArgumentError(
            f"{str(file)!r} is damaged behind offset {len(content)} of what it contains: {error}."
        ) from error
    return bytes(content)
