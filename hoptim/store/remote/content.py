"""The content of a checkpoint: how large it is, of how many files, and its digest."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from hoptim.errors import CheckpointError
from hoptim.store.published import Published
from hoptim.store.tree import opened

BLOCK = 1 << 20  # bytes read at once


class Content(NamedTuple):
    """What a checkpoint is, wherever it lies.

    Attributes:
        size: Bytes of its files.
        files: Number of its files.
        sha256: Digest of a file. That of a folder is of one line `<sha256>  <relative path>` for
            each file in it, sorted, UTF-8, each with a line feed, as `sha256sum` prints them. Folders
            without files are not part of it.
    """

    size: int
    files: int
    sha256: str

    @classmethod
    def of(cls, found: Mapping[str, tuple[int, str]]) -> Content:
        """Return what some files are together.

        Args:
            found: Size and digest by path within the checkpoint; the path of a single file is "".
        """
        size = sum(size for size, _ in found.values())
        if found.keys() == {""}:
            return cls(size, 1, found[""][1])
        lines = sorted(f"{digest}  {inner}\n" for inner, (_, digest) in found.items())
        return cls(size, len(found), sha256("".join(lines).encode()).hexdigest())

    @classmethod
    def at(cls, path: str) -> Content:
        """Return what a local file or folder is.

        Raises:
            CheckpointError: See `files_in`.
        """
        return cls.of({inner: (size, _digest_at(path, inner)) for inner, size in files_in(path).items()})

    def fits(self, published: Published) -> bool:
        """Return whether it is what was published, as far as that is recorded."""
        recorded = (published.size, published.files, published.sha256)
        return all(told is None or told == found for told, found in zip(recorded, self, strict=True))


def files_in(path: str) -> dict[str, int]:
    """Return the sizes of a local checkpoint's files, by path within it; "" for a file itself.

    Raises:
        CheckpointError: There is no file, a link, or a name that object storage cannot keep.
    """
    found = dict(_walk(path, ""))
    if not found:
        raise CheckpointError(
            f"The folder {path!r} has no file in it. Object storage keeps files alone, so an empty folder "
            "cannot be a checkpoint there; write a file into it and tell again."
        )
    return found


def digest_of_stream(blocks: Iterable[bytes]) -> str:
    """Return the digest of what is read block by block."""
    digest = sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _walk(path: str, inner: str) -> Iterator[tuple[str, int]]:
    status = os.lstat(os.path.join(path, inner) if inner else path)
    if stat.S_ISDIR(status.st_mode):
        for name in sorted(os.listdir(os.path.join(path, inner) if inner else path)):
            yield from _walk(path, f"{inner}/{name}" if inner else name)
        return
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(
            f"{inner or path!r} in the checkpoint is a link, which object storage cannot keep. The claim "
            "is kept; save the file itself in its place and tell again."
        )
    if not inner.isprintable():
        raise CheckpointError(
            f"The name {inner!r} in the checkpoint is not printable, and object storage may not keep it. "
            "The claim is kept; give the file another name and tell again."
        )
    yield inner, status.st_size


def _digest_at(path: str, inner: str) -> str:
    with opened(os.path.join(path, inner) if inner else path) as fd, open(fd, "rb", closefd=False) as file:
        return digest_of_stream(iter(lambda: file.read(BLOCK), b""))
