"""Objects below one place in object storage, through fsspec; what fails for a while is tried again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

from hoptim.errors import ArgumentError, CheckpointError, MissingExtra
from hoptim.store.locking.patience import limit
from hoptim.store.remote import trouble
from hoptim.store.remote.address import Address
from hoptim.store.remote.content import BLOCK, digest_of_stream

T = TypeVar("T")

_S3 = ("s3", "s3a")
_DISK = ("file", "local")


class Upload(NamedTuple):
    """An upload in parts that has not ended; the parts are paid for and listed nowhere else."""

    key: str
    id: str


class Objects:
    """The objects below a place, by key: the path behind `<place>/`.

    Fit for threads. A forked child makes connections of its own when it first needs them, since neither
    its parent's nor the thread that serves them are there.

    Args:
        place: Place that they are in.

    Raises:
        ArgumentError: fsspec does not know the protocol.
        MissingExtra: fsspec, or what the protocol needs, is not installed.
    """

    def __init__(self, place: Address) -> None:
        self.place = place
        self._made: dict[int, tuple[Any, str]] = {}  # by process; a child must not close its parent's
        _require_known(place.protocol)

    def url(self, key: str) -> str:
        """Return the URL of an object, or of the place for ""."""
        return f"{self.place.url}/{key}" if key else self.place.url

    def sizes(self, key: str = "", patiently: bool = False) -> dict[str, int]:
        """Return the sizes of the object with a key, or of those below it, by key.

        Args:
            key: Key; "" for all objects.
            patiently: True to try as long as a transfer is tried, which this belongs to. Default: False.
        """

        def listed(fs: Any, top: str) -> dict[str, int]:
            bound = {"timeout": limit().left} if fs.async_impl else {}  # its library waits, and tries again
            found = fs.find(f"{top}/{key}" if key else top, detail=True, **bound)
            files = [info for info in found.values() if info["type"] == "file"]
            sizes = {str(info["name"]).removeprefix(f"{top}/"): int(info["size"]) for info in files}
            return {at: size for at, size in sizes.items() if not at.endswith("/")}  # a console's folders

        return self._try("look at", key, trouble.TRANSFER if patiently else trouble.LOOK, listed)

    def put(self, path: str, key: str) -> None:
        """Upload a local file, in parts if it is large."""
        self._try("upload", key, trouble.TRANSFER, lambda fs, top: fs.put_file(path, f"{top}/{key}"))

    def get(self, key: str, path: Path, size: int) -> None:
        """Download an object of a known size to a local path; raise `CheckpointError` if it has gone."""

        def got(fs: Any, top: str) -> None:
            fs.get_file(f"{top}/{key}", str(path))
            if (found := path.stat().st_size) != size:
                raise ConnectionResetError(f"{found} bytes of {size} came")

        self._try("download", key, trouble.TRANSFER, _if_there(got, self.url(key)))

    def digest(self, key: str) -> str:
        """Return the digest of an object that is read and kept nowhere; raise as `get`."""

        def read(fs: Any, top: str) -> str:
            with fs.open(f"{top}/{key}", "rb", block_size=8 * BLOCK, cache_type="readahead") as file:
                return digest_of_stream(iter(lambda: file.read(BLOCK), b""))

        return self._try("read", key, trouble.TRANSFER, _if_there(read, self.url(key)))

    def shares(self, other: Objects) -> bool:
        """Return whether the service can copy from another place: both are in one bucket."""
        places = {(each.place.protocol, each.place.path.split("/")[0]) for each in (self, other)}
        return len(places) == 1

    def copy(self, other: Objects, source: str, key: str) -> None:
        """Have the service copy an object of a place in the same bucket."""

        def copied(fs: Any, top: str) -> None:
            fs.cp_file(f"{other._here[1]}/{source}", f"{top}/{key}")

        self._try("copy to", key, trouble.TRANSFER, copied)

    def remove(self, key: str) -> None:
        """Remove an object, and on a disk the folders that it leaves empty; nothing there is fine."""

        def removed(fs: Any, top: str) -> None:
            fs.rm_file(f"{top}/{key}")
            if self.place.protocol in _DISK:
                with suppress(OSError):  # something else is in it
                    for folder in PurePosixPath(key).parents[:-1]:
                        os.rmdir(f"{top}/{folder}")

        self._try("remove", key, trouble.LOOK, _unless_gone(removed))

    def uploads(self) -> list[Upload]:
        """Return the uploads in parts that have not ended, where the service has such; 1000 at most."""
        if self.place.protocol not in _S3:
            return []

        def listed(fs: Any, top: str) -> list[Upload]:
            bucket, _, prefix = f"{top}/".partition("/")
            found = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix).get("Uploads", [])
            return [Upload(each["Key"].removeprefix(prefix), each["UploadId"]) for each in found]

        return self._try("list uploads to", "", trouble.LOOK, listed)

    def abort(self, upload: Upload) -> None:
        """Remove the parts of an upload; nothing there is fine."""

        def aborted(fs: Any, top: str) -> None:
            bucket, _, prefix = f"{top}/".partition("/")
            key = f"{prefix}{upload.key}"
            fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload.id)

        self._try("end an upload to", upload.key, trouble.LOOK, _unless_gone(aborted))

    @property
    def _here(self) -> tuple[Any, str]:
        """Return the file system of this process, and the place as it names it."""
        process = os.getpid()
        if process not in self._made:
            import fsspec

            options = {"auto_mkdir": True} if self.place.protocol in _DISK else {}
            made = fsspec.url_to_fs(
                self.place.url, use_listings_cache=False, skip_instance_cache=True, **options
            )
            self._made.setdefault(process, made)
        return self._made[process]

    def _try(self, doing: str, key: str, patience: float, call: Callable[[Any, str], T]) -> T:
        return trouble.persistently(doing, self.url(key), patience, lambda: call(*self._here))


def _require_known(protocol: str) -> None:
    try:
        import fsspec
    except ImportError as error:
        what = "Checkpoints in object storage need fsspec, which is not installed"
        raise MissingExtra.of(what, "remote") from error
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError as error:
        what = f"fsspec knows no protocol {protocol!r}; among those it does are s3, gs and abfs."
        raise ArgumentError(what) from error
    except ImportError as error:
        what = f"Checkpoints at {protocol}:// need a package for fsspec that is not installed ({error})"
        raise MissingExtra.of(what, "s3" if protocol in _S3 else "remote") from error


def _if_there(call: Callable[[Any, str], T], url: str) -> Callable[[Any, str], T]:
    """Return a call that says it if there is no such object; not so if there is no such bucket."""

    def called(fs: Any, top: str) -> T:
        try:
            return call(fs, top)
        except FileNotFoundError as error:
            if trouble.is_without_bucket(error):
                raise
        raise CheckpointError(f"{url!r} went while it was read: it was dropped, or lost.")

    return called


def _unless_gone(call: Callable[[Any, str], object]) -> Callable[[Any, str], None]:
    """Return a call for which it is fine if there is no such object; not so if there is no such bucket."""

    def called(fs: Any, top: str) -> None:
        with suppress(CheckpointError):
            _if_there(call, top)(fs, top)

    return called
