"""Files of checkpoints: published whole under names of their own, removed when dropped."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from hoptim._files import explained
from hoptim.errors import CheckpointError
from hoptim.store.checkpoint_folder import CheckpointFolder
from hoptim.store.draft import Draft, claim_of
from hoptim.store.layout import SCRATCH
from hoptim.store.linking import link_or_copy
from hoptim.store.published import SMALL, Published, digest_of
from hoptim.store.settling import settle
from hoptim.store.tree import Extent, make_folder_in, measure, opened, remove, try_to_remove


class Checkpoints:
    """The folders `checkpoints` and `scratch` of a study.

    `<n>.<token>-<nonce>` is a published checkpoint of trial n: the token is that of the claim and the
    nonce that of the teller, so nobody ever overwrites what another one published. In a study of
    format 1 it is `<n>.<token>`, and only who holds the lock may publish. Names that begin with a dot
    are private: drafts on their way in, trash on its way out.

    Args:
        folder: The study's directory; None makes a temporary one that goes with this object.
        uuid: The study's identifier, part of the names of drafts and scratch folders.
    """

    def __init__(self, folder: Path | None, uuid: str) -> None:
        self._folder, self._study = CheckpointFolder(folder), uuid[:8]
        self._drafted: set[Draft] = set()  # asked for here

    def path(self, name: str) -> str:
        """Return the path of a published checkpoint."""
        return str(self._folder.path / name)

    def fetch(self, published: Published, reader: object) -> str:
        """Return a local path of a published checkpoint, to continue from: here the one that it has.

        Args:
            published: The checkpoint.
            reader: Object that it is needed for, as long as that lives.
        """
        return self.path(published.name)

    def lent(self, published: Published) -> str | Callable[[object], str]:
        """Return the path to continue from, or a function that `fetch`es it for a reader."""
        return self.path(published.name)

    def is_there(self, name: str) -> bool:
        """Return whether a published checkpoint is there."""
        with explained("look at", self.path(name)):
            # Over NFS a look-up may be answered from a cache for seconds, a listing is not.
            return self._folder.mode(name) != 0 or name in self._folder.names()

    def is_whole(self, published: Published) -> bool:
        """Return whether a checkpoint is there, as large and of as many files as when it was published."""
        with explained("look at", self.path(published.name)):
            try:
                found = measure(published.name, self._folder.fd, fresh=True)
            except FileNotFoundError:
                return self.is_there(published.name)
        return published.size is None or found == Extent(published.size, published.files or 0)

    def can_begin_from(self, published: Published) -> bool:
        """Return whether what a trial would continue from is whole."""
        return self.is_whole(published)

    def is_unchanged(self, published: Published) -> bool:
        """Return whether a checkpoint that is there is whole, and has its digest where it was given one."""
        if not self.is_whole(published):
            return False
        if published.sha256 is None:
            return True
        with explained("read", self.path(published.name)), suppress(FileNotFoundError):
            return digest_of(published.name, self._folder.fd) == published.sha256
        return True  # dropped meanwhile

    def draft(self, draft: Draft) -> Path:
        """Return the path of a draft."""
        self._drafted.add(draft)
        path = self._folder.path / draft.hidden(self._study)
        with explained("look at", path):
            if stat.S_ISLNK(self._folder.mode(path.name)):  # not ours, and it leads elsewhere
                remove(path.name, self._folder.fd)
        return path

    def draft_at(self, path: str | os.PathLike[str]) -> Draft | None:
        """Return the draft that has a path, None if none has."""
        folder, name = os.path.split(os.path.abspath(path))
        return Draft.parse(name, self._study) if folder == str(self._folder.path) else None

    def scratch(self, number: int) -> Path:
        """Return the private folder of a trial, made when first asked for."""
        scratch = self._folder.made(SCRATCH) / f"{self._study}-{number}"
        with explained("make", scratch), opened(scratch.parent) as folder:
            make_folder_in(folder, scratch.name)
        return scratch

    def write(self, draft: Draft, save: Callable[[str], object]) -> None:
        """Let the user's function write a draft.

        Raises:
            CheckpointError: It returned without a file or folder at the path it was given.
        """
        path = self.draft(draft)
        save(str(path))
        with explained("find", path):
            mode = self._folder.mode(path.name)
        if not mode:
            found = self._folder.names()
            near = [name.removeprefix(path.name) for name in found if name.startswith(path.name)]
            hint = (
                f" It wrote a name that ends in {near[0]!r}: pass it an open file instead." if near else ""
            )
            for suffix in near:
                remove(path.name + suffix, self._folder.fd)
            raise CheckpointError(
                f"Trial {draft.number}: save(path) returned, but nothing is at the path it was given."
                f"{hint} The claim is kept; tell again with a save that writes exactly there."
            )

    def seal(self, draft: Draft, name: str) -> Published:
        """Make a draft durable, and return what is in it.

        Only after a look at the journal that came after `draft`: it proves whose folder this is.

        Args:
            draft: The draft; fine if an earlier tell with an unknown outcome published it already.
            name: Name that it is to be published under.

        Raises:
            CheckpointError: There is no draft, it is a link, or has a pipe, a socket or a device in it.
        """
        path, fd = self.draft(draft), self._folder.fd
        with explained("publish", path):
            mode = self._folder.mode(path.name)
            if not mode and self._folder.mode(name):
                return self._published(draft, name, measure(name, fd))
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CheckpointError(
                f"Trial {draft.number}: a checkpoint must be a file or folder at trial.draft, and none is "
                f"at {str(path)!r}. The claim is kept; write it there and tell again."
            )
        with explained("publish", path):
            extent = settle(path.name, fd, f"Trial {draft.number}", self._folder.durable)
            return self._published(draft, path.name, extent)

    def publish(self, draft: Draft) -> Published:
        """Publish a draft under a name that nothing else has had; durable when this returns.

        Args:
            draft: The draft.

        Raises:
            CheckpointError: There is no draft, it is a link, or has a pipe, a socket or a device in it.
        """
        sealed = self.seal(draft, draft.name)
        return sealed._replace(name=self._rename(draft, draft.name, replace=False))

    def replace(self, draft: Draft, name: str) -> None:
        """Give a sealed draft a name that others may publish under, too; only under the lock.

        Args:
            draft: The draft; fine if an earlier tell with an unknown outcome published it already.
            name: The public name; what is there goes.
        """
        self._rename(draft, name, replace=True)

    def adopt(self, source: str, draft: Draft) -> Published:
        """Publish another study's checkpoint: linked, else copied; then durable.

        Args:
            source: Path of a published file or folder.
            draft: Draft of the trial that begins with it.

        Raises:
            StoreError: It cannot be linked or copied.
            CheckpointError: It is neither a file nor a folder.
        """
        path = self.draft(draft)
        with explained("share", source):
            link_or_copy(source, path.name, self._folder.fd)
        return self.publish(draft)

    def abandon(self, draft: Draft) -> None:
        """Remove a draft that was not told, wherever it has come to."""
        self._drafted.discard(draft)
        for name in (draft.hidden(self._study), draft.name):
            self._folder.remove(name)

    def forget(self, number: int, token: int, ended: bool) -> None:
        """Remove what a claim left behind: its drafts, and the scratch folder of a trial that has ended.

        Args:
            number: The trial.
            token: The claim.
            ended: True if the trial has ended, so that its scratch folder goes too.
        """
        if self._folder.unused:
            return
        if ended and os.path.lexists(scratch := f"{self._folder.study}/{SCRATCH}/{self._study}-{number}"):
            try_to_remove(Path(scratch))
        for draft in [draft for draft in self._drafted if draft.token == token]:
            self._drafted.remove(draft)
            self._folder.remove(draft.hidden(self._study))

    def drop(self, names: Iterable[str]) -> None:
        """Remove what was published; only after the record that says so is durable."""
        for name in names:
            with suppress(OSError):  # what stays is no longer referenced, so a later worker finds it
                self._folder.discard(name)

    def clear(self, claims: Collection[tuple[int, int]]) -> None:
        """Remove all that was drafted or published for claims that were taken back, by trial and token."""
        lost = {f"{number}.{token}" for number, token in claims}
        with suppress(OSError):
            for name in self._folder.names() if lost else ():
                if claim_of(name, self._study) in lost:
                    self._folder.discard(name)

    def _rename(self, draft: Draft, name: str, replace: bool) -> str:
        """Give a sealed draft its public name, if it has none yet; durable when this returns.

        Args:
            draft: The draft.
            name: The name.
            replace: True if what has the name goes; else a new name is given where something has it.

        Returns:
            The name that was given, or `name`.
        """
        hidden = draft.hidden(self._study)
        with explained("publish", self.path(name)):
            if self._folder.mode(hidden):
                if replace:
                    self._folder.discard(name)
                elif self._folder.mode(name):  # an earlier tell's, which may yet turn out to be recorded
                    name = Draft.new(draft.number, draft.token).name
                self._folder.rename(hidden, name)
            self._folder.flush()
        return name

    def _published(self, draft: Draft, found: str, extent: Extent) -> Published:
        """Return what a draft is published as, once it is durable under some name."""
        digest = None
        if extent.size <= SMALL and stat.S_ISREG(self._folder.mode(found)):
            digest = digest_of(found, self._folder.fd)
        return Published(draft.name, extent.size, extent.files, digest)
