"""The checkpoints of one study in object storage."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hoptim._files import explained, sync
from hoptim.errors import ArgumentError, CheckpointError, StoreError, StudyDamaged
from hoptim.store.layout import hidden_name
from hoptim.store.published import Published
from hoptim.store.remote import trouble
from hoptim.store.remote.address import Address
from hoptim.store.remote.content import Content, files_in
from hoptim.store.remote.objects import Objects
from hoptim.store.tree import Extent, try_to_remove


class Bucket:
    """The checkpoints below `<url>/<uuid>/`.

    One that is a file is the object `<name>`; one that is a folder has its files below `<name>/`, and
    folders without a file in them are not kept. An object comes whole or not at all, a folder file by file:
    so nobody may count on one before its publisher has recorded it. Nothing is renamed, and no name is used
    twice.

    Args:
        url: Place that fsspec can write to, such as `s3://bucket/prefix`. Endpoint and credentials come
            from the environment or from the provider's own files.
        uuid: The study's identifier.

    Raises:
        ArgumentError: It is no URL, of an unknown protocol, or has credentials in it.
        MissingExtra: fsspec, or what the protocol needs, is not installed.
    """

    def __init__(self, url: str, uuid: str) -> None:
        self._objects = Objects(Address.of(f"{Address.of(url).url}/{uuid}"))

    @classmethod
    def place(cls, url: str) -> str:
        """Return a URL as it is recorded; raise what the constructor raises if it cannot be used."""
        cls(url, "study")
        return Address.of(url).url

    @classmethod
    def holding(cls, url: str) -> tuple[Bucket, str]:
        """Return the bucket and the name of a checkpoint that has a URL, as `url` gives it.

        Raises:
            ArgumentError: It is not the URL of a checkpoint, or has credentials in it.
        """
        address = Address.of(url)
        place, *rest = address.path.rsplit("/", 2)
        if len(rest) < 2 or not place:
            raise ArgumentError(f"{address.url!r} is not the URL of a study's checkpoint.")
        return cls(f"{address.protocol}://{place}", rest[0]), rest[1]

    def url(self, name: str) -> str:
        """Return the URL of a checkpoint, of all for ""."""
        return self._objects.url(name)

    def put(self, path: str, name: str) -> None:
        """Upload a local file or folder; all of it is there when this returns.

        Args:
            path: File or folder, which nobody writes to meanwhile.
            name: Name that nothing has.

        Raises:
            StoreError: It cannot be uploaded; some of a folder may be there.
            CheckpointError: There is a link in it, or no file.
        """
        with explained("read", path):
            files = files_in(path)
        for inner in files:
            self._objects.put(os.path.join(path, inner) if inner else path, _key(name, inner))
        self._require_as_sent(name, files)

    def get(self, published: Published, target: Path) -> None:
        """Download a checkpoint to a path, where it is all at once.

        Args:
            published: The checkpoint; what is not recorded of it is not compared.
            target: Path in a folder that is there. A folder that has it already stays.

        Raises:
            CheckpointError: It is not there.
            StudyDamaged: It is not what was published.
            StoreError: It cannot be downloaded.
        """
        draft = target.with_name(hidden_name(target.name))
        try:
            with explained("download to", draft):
                self._download(published.name, draft)
                found = Content.at(str(draft))
                if not found.fits(published):
                    raise StudyDamaged(
                        f"{self.url(published.name)!r} is not what was published: {found.size} bytes "
                        f"in {found.files} files with the digest {found.sha256}, expected {published.size} "
                        f"in {published.files} with {published.sha256}. hoptim did not change it; restore "
                        "it from a copy."
                    )
                if not (draft.is_dir() and target.is_dir()):  # else another process was first
                    os.rename(draft, target)
        finally:
            try_to_remove(draft)

    def copy(self, url: str, name: str) -> bool:
        """Have the service copy another study's checkpoint, if both are in one bucket; return whether so.

        Args:
            url: URL of the checkpoint.
            name: Name that nothing has.

        Raises:
            CheckpointError: It is not there.
            StoreError: It cannot be copied; some of a folder may be.
        """
        other, source = Bucket.holding(url)
        if not self._objects.shares(other._objects):
            return False
        files = other._require(source)
        for inner in files:
            self._objects.copy(other._objects, _key(source, inner), _key(name, inner))
        self._require_as_sent(name, files)
        return True

    def content(self, name: str) -> Content:
        """Return what a checkpoint is, read from beginning to end and kept nowhere.

        Raises:
            CheckpointError: It is not there.
        """
        files = self._require(name)
        return Content.of({i: (size, self._objects.digest(_key(name, i))) for i, size in files.items()})

    def has(self, name: str) -> bool:
        """Return whether a checkpoint, or a part of it, is there; fit for a hold of the study's lock."""
        return bool(self._objects.sizes(name))

    def extent(self, name: str) -> Extent | None:
        """Return the size of a checkpoint, None if nothing is there."""
        files = self._files(name)
        return Extent(sum(files.values()), len(files)) if files else None

    def names(self) -> set[str]:
        """Return the names of all checkpoints, whole or not."""
        return {key.split("/")[0] for key in self._objects.sizes()}

    def uploading(self) -> set[str]:
        """Return the names of checkpoints with an upload in parts that has not ended, or goes on."""
        return {upload.key.split("/")[0] for upload in self._objects.uploads()}

    def remove(self, name: str) -> None:
        """Remove what has a name; nothing there is fine."""
        for key in self._objects.sizes(name):
            self._objects.remove(key)

    def abort(self, names: Iterable[str]) -> None:
        """Remove what uploads that have not ended have sent of some checkpoints."""
        unwanted = set(names)
        for upload in self._objects.uploads():
            if upload.key.split("/")[0] in unwanted:
                self._objects.abort(upload)

    def _download(self, name: str, draft: Path) -> None:
        for inner, size in self._require(name).items():
            path = draft / inner if inner else draft
            path.parent.mkdir(parents=True, exist_ok=True)
            self._objects.get(_key(name, inner), path, size)
            sync(path)

    def _require(self, name: str) -> dict[str, int]:
        if files := self._files(name):
            return files
        raise CheckpointError(f"There is no checkpoint at {self.url(name)!r}: it was dropped, or lost.")

    def _require_as_sent(self, name: str, sent: dict[str, int]) -> None:
        found = self._files(name)
        if found != sent:
            raise StoreError(
                f"{self.url(name)!r} is not what was sent there: it has {sum(found.values())} bytes in "
                f"{len(found)} files, expected {sum(sent.values())} in {len(sent)}. Nothing was recorded; "
                "run the same call again."
            )

    def _files(self, name: str) -> dict[str, int]:
        """Return the sizes of a checkpoint's files, by path within it; "" for a file itself.

        It is tried for as long as the transfer that it belongs to, for which nobody waits.

        Raises:
            StudyDamaged: A path leads out of it, which would be written to when it is downloaded.
        """
        sizes = self._objects.sizes(name, trouble.TRANSFER)
        found = {key.removeprefix(name).removeprefix("/"): size for key, size in sizes.items()}
        for inner in found:
            if inner and any(part in ("", ".", "..") for part in inner.split("/")):
                raise StudyDamaged(
                    f"{self.url(name)!r} has a file {inner!r} in it, which hoptim did not write. Remove it."
                )
        return found


def _key(name: str, inner: str) -> str:
    return f"{name}/{inner}" if inner else name
