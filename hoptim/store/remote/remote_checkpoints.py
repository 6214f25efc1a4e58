"""Checkpoints of a study in object storage: drafts are written here, and published by an upload."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._files import close_read, explained, make_folder
from hoptim.errors import ArgumentError, StoreError
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft, claim_of
from hoptim.store.locking.patience import limited
from hoptim.store.published import Published
from hoptim.store.remote.bucket import Bucket
from hoptim.store.remote.cache import Cache
from hoptim.store.remote.content import Content
from hoptim.store.tree import Extent, try_to_remove

log = logging.getLogger("hoptim")

_DROP_WITHIN = 2.0  # seconds that a `tell` waits for a bucket that is away, once it is recorded
WORK = "work"  # within the cache: drafts, and the scratch folders of a study without a directory


class Download:
    """A checkpoint that is downloaded by whoever reads it.

    Args:
        checkpoints: Checkpoints that it is one of.
        published: The checkpoint.
    """

    def __init__(self, checkpoints: RemoteCheckpoints, published: Published) -> None:
        self._checkpoints, self._published = checkpoints, published

    def __repr__(self) -> str:
        return repr(str(self))

    def __str__(self) -> str:
        return self._checkpoints.path(self._published.name)

    def __call__(self, reader: object) -> str:
        """Return the path of a copy on this machine, which stays while `reader` lives."""
        return self._checkpoints.fetch(self._published, reader)


class RemoteCheckpoints(Checkpoints):
    """Checkpoints as objects `<url>/<uuid>/<n>.<token>-<nonce>`, or files below such a name.

    A draft is a local file or folder as ever. It is published by an upload, then recorded, and what this
    process published stays in the cache of this machine, so that a member that goes on here waits for no
    download. A folder without files is no checkpoint here, folders in it without files are not kept, and
    links are refused. All that is published has its SHA-256 recorded; see `Content` for that of a folder.

    Args:
        url: Place that fsspec can write to, such as `s3://bucket/prefix`; without credentials.
        uuid: The study's identifier.
        folder: The study's directory, for the scratch folders, which all machines share. Default: None, for
            scratch folders on this machine alone.
        cache: Copies on this machine. Default: at most 10 GB in `~/.cache/hoptim/<uuid>`.

    Attributes:
        bucket: Checkpoints in object storage.
        cache: Copies on this machine.

    Raises:
        ArgumentError: `url` is no URL, of an unknown protocol, or has credentials in it.
        MissingExtra: fsspec, or what the protocol needs, is not installed.
    """

    def __init__(self, url: str, uuid: str, folder: Path | None = None, cache: Cache | None = None) -> None:
        self.bucket, self._url, self._uuid = Bucket(url, uuid), url, uuid
        self.cache = Cache(Cache.default_folder(uuid)) if cache is None else cache
        super().__init__(self.cache.folder / WORK, uuid)
        self._shared = None if folder is None else Checkpoints(folder, uuid)
        self._uploading: dict[str, int] = {}  # name -> token; of uploads that failed, too

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteCheckpoints, (self._url, self._uuid)

    def path(self, name: str) -> str:
        """Return the URL of a published checkpoint."""
        return self.bucket.url(name)

    def fetch(self, published: Published, reader: object) -> str:
        """Return the path of a copy on this machine, downloaded if there is none.

        Args:
            published: The checkpoint.
            reader: Object that the copy stays for: a process that needs room leaves it while that lives.

        Raises:
            CheckpointError: The checkpoint is not there.
            StudyDamaged: It is not what was published.
            StoreError: It cannot be downloaded.
        """
        use = self.cache.use(published.name)
        try:
            if not self.cache.has(published):
                self.cache.make_room(published.size or 0)
                self.bucket.get(published, self.cache.path(published.name))
        except BaseException:
            close_read(use)
            raise
        weakref.finalize(reader, close_read, use)
        return str(self.cache.path(published.name))

    def lent(self, published: Published) -> Download:
        """Return a function that `fetch`es a checkpoint for a reader, in any process that it is sent to."""
        return Download(self, published)

    def is_there(self, name: str) -> bool:
        """Return whether a published checkpoint, or a part of it, is there."""
        return self.bucket.extent(name) is not None

    def is_whole(self, published: Published) -> bool:
        """Return whether a checkpoint is there, as large and of as many files as when it was published."""
        return self.bucket.extent(published.name, patiently=True) == Extent(
            published.size or 0, published.files or 0
        )

    def can_begin_from(self, published: Published) -> bool:
        """Return whether the copy here is whole, which `fetch` returns, or else what was published."""
        with suppress(StoreError):
            if self.cache.path(published.name).exists():
                use = self.cache.use(published.name)
                try:
                    if self.cache.has(published):
                        return True
                finally:
                    close_read(use)
        return self.is_whole(published)

    def is_unchanged(self, published: Published) -> bool:
        """Return whether a checkpoint is there and has its digest; all of it is read for that."""
        return self.is_whole(published) and self.bucket.content(published.name).fits(published)

    def draft(self, draft: Draft) -> Path:
        """Return the path of a draft, on this machine."""
        self._make_work()
        return super().draft(draft)

    def scratch(self, number: int) -> Path:
        """Return the private folder of a trial, made when first asked for."""
        if self._shared is not None:
            return self._shared.scratch(number)
        self._make_work()
        return super().scratch(number)

    def publish(self, draft: Draft) -> Published:
        """Upload a draft under a name that nothing else has had; all of it is there when this returns.

        Args:
            draft: The draft; fine if an earlier tell with an unknown outcome published it already.

        Raises:
            CheckpointError: There is no draft, or it has something in it that cannot be uploaded.
            StoreError: It cannot be uploaded, or is not there as it was sent.
        """
        path = self.draft(draft)
        if not os.path.lexists(path) and (before := self._published_before(draft)) is not None:
            return before
        self.seal(draft, draft.name)
        published = Published(self._new_name(draft), *Content.at(str(path)))
        self._uploading[published.name] = draft.token
        self.bucket.put(str(path), published.name)
        del self._uploading[published.name]
        self._keep(published, path)
        return published

    def replace(self, draft: Draft, name: str) -> None:
        """Raise `ArgumentError`: a study of format 1 keeps its checkpoints in its directory."""
        raise ArgumentError(
            f"Trial {draft.number}: an earlier version of hoptim made this study, whose checkpoints stay "
            "in its directory. Object storage is for studies that this version makes; go on without it, or "
            "begin a new one."
        )

    def adopt(self, source: str, draft: Draft) -> Published:
        """Publish another study's checkpoint: copied by the service, or through this machine.

        Args:
            source: Path of a published file or folder, or its URL.
            draft: Draft of the trial that begins with it.

        Raises:
            ArgumentError: The URL is not that of a checkpoint.
            StoreError: It cannot be copied.
            CheckpointError: It is not there, or cannot be uploaded.
        """
        if "://" not in source:
            self.draft(draft)
            return super().adopt(source, draft)
        name = self._new_name(draft)
        self._uploading[name] = draft.token
        if self.bucket.copy(source, name):
            published = Published(name, *self.bucket.content(name))
            del self._uploading[name]
            return published
        other, found = Bucket.holding(source)
        other.get(Published(found), self.draft(draft))
        return self.publish(draft)

    def abandon(self, draft: Draft) -> None:
        """Remove a draft that was not told, wherever it has come to."""
        super().abandon(draft)
        self.drop([draft.name])

    def forget(self, number: int, token: int, ended: bool) -> None:
        """Remove what a claim left behind: its drafts, uploads that failed, its scratch folder.

        Args:
            number: The trial.
            token: The claim.
            ended: True if the trial has ended, so that its scratch folder goes too.
        """
        if self._shared is not None:
            self._shared.forget(number, token, ended)
        super().forget(number, token, ended and self._shared is None)
        failed = [name for name, of in self._uploading.items() if of == token]
        self.drop(failed)
        for name in failed:
            del self._uploading[name]

    def drop(self, names: Iterable[str]) -> None:
        """Remove what was published; only after the record that says so is durable."""
        # What stays is no longer referenced, so a later worker finds it.
        with limited(_DROP_WITHIN), suppress(OSError):
            for name in names:
                self.cache.remove(name)
                self.bucket.remove(name)

    def clear(self, claims: Collection[tuple[int, int]]) -> None:
        """Remove all that was drafted or published for claims that were taken back, by trial and token."""
        if not claims:
            return
        super().clear(claims)
        lost = {f"{number}.{token}" for number, token in claims}
        with suppress(OSError):
            self.drop([name for name in self.bucket.names() if claim_of(name, self._study) in lost])
            cut = [name for name in self.bucket.uploading() if claim_of(name, self._study) in lost]
            self.bucket.abort(cut)

    def _make_work(self) -> None:
        with explained("make", self._folder.study):
            make_folder(self._folder.study, parents=True)

    def _new_name(self, draft: Draft) -> str:
        """Return a draft's name, or a new one where an earlier tell has that, maybe recorded."""
        taken = self.bucket.extent(draft.name, patiently=True) is not None
        return Draft.new(draft.number, draft.token).name if taken else draft.name

    def _published_before(self, draft: Draft) -> Published | None:
        """Return what a draft that is gone was published as, by the copy here; None without one."""
        path = self.cache.path(draft.name)
        if not path.exists():
            return None
        published = Published(draft.name, *Content.at(str(path)))
        return published if self.is_whole(published) else None

    def _keep(self, published: Published, path: Path) -> None:
        """Move a draft that was uploaded into the cache; that it cannot be is no harm."""
        try:
            use = self.cache.use(published.name)
            try:
                self.cache.make_room(published.size or 0)
                self.cache.keep(published.name, path)
            finally:
                close_read(use)
        except StoreError as error:
            log.warning("%s The checkpoint is published; it will be downloaded where it is needed.", error)
            try_to_remove(path)
