"""Files of labelled images: what is written is read, and what is wrong is named with its offset."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import hoptim
from hoptim.benchmarks.studies.image_data import (
    LabelledImages,
    halved,
    load_digits,
    read_cifar,
    read_fashion_mnist,
)
from tests.image_files import CIFAR10, IDX, write_cifar10, write_cifar100, write_idx


def flip(file: Path, offset: int, value: int) -> None:
    """Replace a byte of a file."""
    content = bytearray(file.read_bytes())
    content[offset] = value
    file.write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_as_written(tmp_path, packed):
    """Images and labels come back, from plain files and from packed ones."""
    written = write_idx(tmp_path, packed=packed)
    data = read_fashion_mnist(tmp_path)
    assert (data.classes, data.mirrored) == (10, False)
    for part, expected in zip((data.training, data.test), written, strict=True):
        assert np.array_equal(part.images, expected.images)
        assert np.array_equal(part.labels, expected.labels)


@pytest.mark.parametrize(("write", "classes"), [(write_cifar10, 10), (write_cifar100, 100)])
def test_cifar_is_read_as_written(tmp_path, write, classes):
    """Batches come back in their order, with the fine labels of CIFAR-100."""
    written = write(tmp_path)
    data = read_cifar(tmp_path, classes)
    assert (data.classes, data.mirrored) == (classes, True)
    for part, expected in zip((data.training, data.test), written, strict=True):
        assert np.array_equal(part.images, expected.images)
        assert np.array_equal(part.labels, expected.labels)


@pytest.mark.parametrize("name", IDX)
def test_a_missing_idx_file_is_named(tmp_path, name):
    """The folder and both names that the file may have are in the message."""
    write_idx(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(hoptim.ArgumentError, match=rf"{tmp_path}.*{name} or {name}.gz"):
        read_fashion_mnist(tmp_path)


@pytest.mark.parametrize("name", CIFAR10)
def test_a_missing_batch_is_named(tmp_path, name):
    """All batches of CIFAR-10 must be there."""
    write_cifar10(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(hoptim.ArgumentError, match=rf"{tmp_path}.*{name}"):
        read_cifar(tmp_path, 10)


@pytest.mark.parametrize("name", IDX)
@pytest.mark.parametrize("change", [-1, 1])
def test_an_idx_file_of_a_wrong_length_is_named_with_offsets(tmp_path, name, change):
    """The offset where the file should end and the one where it ends are in the message."""
    write_idx(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes((content + b"\0")[: len(content) + change])
    message = rf"{name}' must end at offset {len(content)}.* offset {len(content) + change}\."
    with pytest.raises(hoptim.ArgumentError, match=message):
        read_fashion_mnist(tmp_path)


@pytest.mark.parametrize("length", [0, 3, 7])
def test_an_idx_file_cut_in_its_header_is_named(tmp_path, length):
    """A header that is not whole is refused, however short."""
    write_idx(tmp_path)
    file = tmp_path / IDX[0]
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(hoptim.ArgumentError, match=rf"{IDX[0]}.*offset"):
        read_fashion_mnist(tmp_path)


def test_a_wrong_magic_number_is_named(tmp_path):
    """Labels where images should be are told by the first four bytes."""
    write_idx(tmp_path)
    flip(tmp_path / IDX[0], 3, 1)
    with pytest.raises(
        hoptim.ArgumentError, match=rf"{IDX[0]}.*00 00 08 03 at offset 0, found 00 00 08 01"
    ):
        read_fashion_mnist(tmp_path)


def test_a_wrong_label_of_an_idx_file_is_named(tmp_path):
    """The first label that is no class is named with its offset, behind the header of 8 bytes."""
    write_idx(tmp_path)
    flip(tmp_path / IDX[1], 13, 10)
    with pytest.raises(hoptim.ArgumentError, match=rf"{IDX[1]}.*0 to 9, found 10 at offset 13"):
        read_fashion_mnist(tmp_path)


def test_images_without_labels_are_refused(tmp_path):
    """Numbers of images and labels that differ are told."""
    write_idx(tmp_path)
    file = tmp_path / IDX[1]
    content = bytearray(file.read_bytes()[:-1])
    content[4:8] = (len(content) - 8).to_bytes(4, "big")
    file.write_bytes(content)
    with pytest.raises(hoptim.ArgumentError, match=r"found 29 labels and 30 images"):
        read_fashion_mnist(tmp_path)


def test_an_empty_idx_file_is_refused(tmp_path):
    """A file without images is no data set."""
    write_idx(tmp_path)
    (tmp_path / IDX[0]).write_bytes(bytes([0, 0, 8, 3]) + bytes(12))
    with pytest.raises(hoptim.ArgumentError, match="is empty"):
        read_fashion_mnist(tmp_path)


@pytest.mark.parametrize("shape", [(7, 7), (8, 4)])
def test_images_that_cannot_be_halved_or_turned_are_refused(tmp_path, shape):
    """Images are square, with an even number of pixels on a side."""
    write_idx(tmp_path)
    sizes = b"".join(size.to_bytes(4, "big") for size in (1, *shape))
    (tmp_path / IDX[0]).write_bytes(b"\0\0\x08\x03" + sizes + bytes(shape[0] * shape[1]))
    with pytest.raises(hoptim.ArgumentError, match=rf"{IDX[0]}.*found {shape[0]} x {shape[1]} .*offset 8"):
        read_fashion_mnist(tmp_path)


def test_images_of_two_sizes_are_refused(tmp_path):
    """Training and test must be of one kind."""
    write_idx(tmp_path, side=8)
    kept = {name: (tmp_path / name).read_bytes() for name in IDX[2:]}
    write_idx(tmp_path, side=10)
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(hoptim.ArgumentError, match="found 10 x 10 and 8 x 8"):
        read_fashion_mnist(tmp_path)


@pytest.mark.parametrize("damage", [lambda packed: packed[:-12], lambda packed: b"no" + packed[2:]])
def test_a_damaged_packed_file_is_named(tmp_path, damage):
    """What cannot be unpacked is no traceback of the unpacker."""
    write_idx(tmp_path, packed=True)
    file = tmp_path / f"{IDX[0]}.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(hoptim.ArgumentError, match=rf"{IDX[0]}.gz' is damaged behind offset"):
        read_fashion_mnist(tmp_path)


def test_offsets_of_a_packed_file_are_those_of_its_content(tmp_path):
    """A truncated content in a whole packed file is told like that of a plain file."""
    write_idx(tmp_path, packed=True)
    file = tmp_path / f"{IDX[1]}.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-2]))
    with pytest.raises(hoptim.ArgumentError, match=r"must end at offset 38.*offset 36\."):
        read_fashion_mnist(tmp_path)


def test_a_truncated_record_is_named(tmp_path):
    """The record that is cut off is named with the offset where it begins."""
    write_cifar10(tmp_path)
    file = tmp_path / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(
        hoptim.ArgumentError, match=r"data_batch_3.bin.*record 5 from offset 15365 .*offset 18433"
    ):
        read_cifar(tmp_path, 10)


def test_an_empty_batch_is_named(tmp_path):
    """A file without a record is refused."""
    write_cifar10(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"")
    with pytest.raises(hoptim.ArgumentError, match=r"test_batch.bin.*record 0 from offset 0"):
        read_cifar(tmp_path, 10)


@pytest.mark.parametrize("name", ["data_batch_1.bin", "data_batch_5.bin"])
def test_a_batch_cut_between_records_is_named(tmp_path, name):
    """All batches have as many records as the test."""
    write_cifar10(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-3073])
    with pytest.raises(
        hoptim.ArgumentError, match=rf"{name}' must have 6 records.* found 5; .*offset 15365\."
    ):
        read_cifar(tmp_path, 10)


def test_a_wrong_label_of_cifar_10_is_named(tmp_path):
    """The label of the third record is at the offset of the record."""
    write_cifar10(tmp_path)
    flip(tmp_path / "data_batch_2.bin", 2 * 3073, 10)
    with pytest.raises(hoptim.ArgumentError, match=r"data_batch_2.bin.*0 to 9, found 10 at offset 6146"):
        read_cifar(tmp_path, 10)


@pytest.mark.parametrize(("column", "value", "highest"), [(0, 20, 19), (1, 100, 99)])
def test_wrong_labels_of_cifar_100_are_named(tmp_path, column, value, highest):
    """Coarse labels end at 19, fine ones at 99."""
    write_cifar100(tmp_path)
    flip(tmp_path / "test.bin", 3074 + column, value)
    with pytest.raises(
        hoptim.ArgumentError, match=rf"0 to {highest}, found {value} at offset {3074 + column}\."
    ):
        read_cifar(tmp_path, 100)


def test_halving_takes_means_of_four_pixels():
    """Each pixel of a halved image is the rounded mean of a square."""
    images = np.arange(32, dtype=np.uint8).reshape(1, 2, 4, 4)
    half = halved(LabelledImages(images, np.zeros(1, np.uint8))).images
    assert half.tolist() == [
        [[[2, 4], [10, 12]], [[18, 20], [26, 28]]]
    ]  # means of 2.5 go to the even number


def test_digits_are_split_once_and_for_all():
    """The fallback has 1797 images, none of them both trained on and tested."""
    pytest.importorskip("sklearn")
    data, again = load_digits(), load_digits()
    assert (len(data.training), len(data.test)) == (1198, 599)
    assert np.array_equal(data.training.images, again.training.images)
    assert data.training.images.shape[1:] == (1, 8, 8)
