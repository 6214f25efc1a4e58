"""A published checkpoint: its name, and what was in it when it was published."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from hoptim.store.fields import whole
from hoptim.store.tree import opened

_NAME = re.compile(r"\d{1,18}\.\d{1,18}-[0-9a-f]{8}")
SMALL = 1 << 16  # bytes; a digest of so many costs less than a sync
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Published(NamedTuple):
    """A published checkpoint.

    Attributes:
        name: Name of its file or folder: `<trial>.<token>-<nonce>`, in a study of format 1
            `<trial>.<token>`.
        size: Bytes of its files; None in a study of format 1.
        files: Number of its files; None in a study of format 1.
        sha256: Digest of a small file, and of whatever is in object storage; None for others.
    """

    name: str
    size: int | None = None
    files: int | None = None
    sha256: str | None = None

    @classmethod
    def recorded(cls, found: Mapping[str, Any], claim: str) -> Published:
        """Return what a tell names.

        Args:
            found: Object of the record.
            claim: Trial and token of the tell, `<trial>.<token>`.

        Raises:
            ValueError, TypeError, KeyError: Not what hoptim writes.
        """
        name, sha256 = found["name"], found.get("sha256")
        if not _NAME.fullmatch(name) or name.partition("-")[0] != claim:
            raise ValueError(f"claim {claim} has no checkpoint {name!r}")
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise ValueError(f"sha256 is {sha256!r}")
        if min(whole(found["size"]), whole(found["files"])) < 0:
            raise ValueError(f"a checkpoint of {found['size']} bytes in {found['files']} files")
        return cls(name, found["size"], found["files"], sha256)

    def record(self) -> dict[str, Any]:
        """Return what a tell names, as plain JSON."""
        return {field: value for field, value in self._asdict().items() if value is not None}


def digest_of(name: str, folder: int) -> str:
    """Return the digest of a small file.

    Args:
        name: The file.
        folder: Descriptor of the folder that it is in.
    """
    from hashlib import sha256  # slow to import

    digest, size = sha256(), 0
    with opened(name, folder) as fd:
        while part := os.pread(fd, SMALL, size):
            digest.update(part)
            size += len(part)
    return digest.hexdigest()
