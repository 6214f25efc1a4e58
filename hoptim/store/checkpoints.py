"""Files of checkpoints: published whole under names of their own, removed when dropped."""

from __future__ import annotations

import os
import re
import stat
import weakref
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from hoptim._files import close_read, explained, flush, is_folder, make_folder, sync
from hoptim.errors import CheckpointError
from hoptim.store.draft import Draft
from hoptim.store.layout import CHECKPOINTS, SCRATCH, SNAPSHOT, STUDY, TRASH, hidden_name
from hoptim.store.linking import link_or_copy
from hoptim.store.published import SMALL, Published, digest_of
from hoptim.store.settling import settle
from hoptim.store.state import State
from hoptim.store.tree import Extent, make_folder_in, measure, opened, remove, try_to_remove

# A published checkpoint, or a draft and what a save writes beside it: study, then trial and token.
_OF_CLAIM = re.compile(r"(?:\.draft-(\w+)-)?(\d{1,18}\.\d{1,18})(?![\d])")


class Checkpoints:
    """The folders `checkpoints` and `scratch` of a study.

    `<n>.<token>-<nonce>` is a published checkpoint of trial n: the token is that of the claim and the
    nonce that of the teller, so nobody ever overwrites what another one published. In a study of
    format 1 it is `<n>.<token>`, and only who holds the lock may publish. Names that begin with a dot
    are private: drafts on their way in, trash on its way out.

    Names change through a descriptor of the folder: should the directory be deleted and made anew
    by another study, a worker of this one writes to the deleted folder and nowhere else.

    Args:
        folder: The study's directory; None makes a temporary one that goes with this object.
        uuid: The study's identifier, part of the names of drafts and scratch folders.
    """

    def __init__(self, folder: Path | None, uuid: str) -> None:
        self._durable = folder is not None
        self._drafted: set[Draft] = set()  # asked for here
        self._root, self._study = folder, uuid[:8]
        self._fd: int | None = None

    def path(self, name: str) -> str:
        """Return the path of a published checkpoint."""
        return str(self._folder(CHECKPOINTS) / name)

    def is_there(self, name: str) -> bool:
        """Return whether a published checkpoint is there."""
        with explained("look at", self.path(name)):
            # Over NFS a look-up may be answered from a cache for seconds, a listing is not.
            return self._mode(name) != 0 or name in os.listdir(self._descriptor())

    def is_whole(self, published: Published) -> bool:
        """Return whether a checkpoint is there, as large and of as many files as when it was published."""
        with explained("look at", self.path(published.name)):
            try:
                found = measure(published.name, self._descriptor(), fresh=True)
            except FileNotFoundError:
                return self.is_there(published.name)
        return published.size is None or found == Extent(published.size, published.files or 0)

    def is_unchanged(self, published: Published) -> bool:
        """Return whether a checkpoint that is there is whole, and has its digest where it was given one."""
        if not self.is_whole(published):
            return False
        if published.sha256 is None:
            return True
        with explained("read", self.path(published.name)), suppress(FileNotFoundError):
            return digest_of(published.name, self._descriptor()) == published.sha256
        return True  # dropped meanwhile

    def draft(self, draft: Draft) -> Path:
        """Return the path of a draft."""
        self._drafted.add(draft)
        path = self._folder(CHECKPOINTS) / draft.hidden(self._study)
        with explained("look at", path):
            if stat.S_ISLNK(self._mode(path.name)):  # not ours, and it leads elsewhere
                remove(path.name, self._descriptor())
        return path

    def draft_at(self, path: str | os.PathLike[str]) -> Draft | None:
        """Return the draft that has a path, None if none has."""
        folder, name = os.path.split(os.path.abspath(path))
        return Draft.parse(name, self._study) if folder == str(self._folder(CHECKPOINTS)) else None

    def scratch(self, number: int) -> Path:
        """Return the private folder of a trial, made when first asked for."""
        scratch = self._made(SCRATCH) / f"{self._study}-{number}"
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
            mode = self._mode(path.name)
        if not mode:
            found = os.listdir(self._descriptor())
            near = [name.removeprefix(path.name) for name in found if name.startswith(path.name)]
            hint = (
                f" It wrote a name that ends in {near[0]!r}: pass it an open file instead." if near else ""
            )
            for suffix in near:
                remove(path.name + suffix, self._descriptor())
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
        path, fd = self.draft(draft), self._descriptor()
        with explained("publish", path):
            mode = self._mode(path.name)
            if not mode and self._mode(name):
                return self._published(draft, name, measure(name, fd))
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CheckpointError(
                f"Trial {draft.number}: a checkpoint must be a file or folder at trial.draft, and none is "
                f"at {str(path)!r}. The claim is kept; write it there and tell again."
            )
        with explained("publish", path):
            extent = settle(path.name, fd, f"Trial {draft.number}", self._durable)
            return self._published(draft, path.name, extent)

    def publish(self, draft: Draft) -> Published:
        """Publish a draft under a name that nothing else has had; durable when this returns.

        Args:
            draft: The draft.

        Raises:
            CheckpointError: There is no draft, it is a link, or has a pipe, a socket or a device in it.
        """
        published = self.seal(draft, draft.name)
        fd, hidden = self._descriptor(), draft.hidden(self._study)
        with explained("publish", self.path(draft.name)):
            if self._mode(hidden):
                if self._mode(draft.name):  # an earlier tell's, which may yet turn out to be recorded
                    published = published._replace(name=Draft.new(draft.number, draft.token).name)
                os.rename(hidden, published.name, src_dir_fd=fd, dst_dir_fd=fd)
            if self._durable:
                flush(fd)
        return published

    def replace(self, draft: Draft, name: str) -> None:
        """Give a sealed draft a name that others may publish under, too; only under the lock.

        Args:
            draft: The draft; fine if an earlier tell with an unknown outcome published it already.
            name: The public name; what is there goes.
        """
        fd, hidden = self._descriptor(), draft.hidden(self._study)
        with explained("publish", self.path(name)):
            if self._mode(hidden):
                self._discard(name)
                os.rename(hidden, name, src_dir_fd=fd, dst_dir_fd=fd)
            if self._durable:
                flush(fd)

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
            link_or_copy(source, path.name, self._descriptor())
        return self.publish(draft)

    def abandon(self, draft: Draft) -> None:
        """Remove a draft that was not told, wherever it has come to."""
        self._drafted.discard(draft)
        for name in (draft.hidden(self._study), draft.name):
            try_to_remove(self._folder(CHECKPOINTS) / name, self._descriptor())

    def forget(self, number: int, token: int, ended: bool) -> None:
        """Remove what a claim left behind: its drafts, and the scratch folder of a trial that has ended.

        Args:
            number: The trial.
            token: The claim.
            ended: True if the trial has ended, so that its scratch folder goes too.
        """
        if self._root is None:
            return
        if ended and os.path.lexists(scratch := f"{self._root}/{SCRATCH}/{self._study}-{number}"):
            try_to_remove(Path(scratch))
        for draft in [draft for draft in self._drafted if draft.token == token]:
            self._drafted.remove(draft)
            try_to_remove(self._root / CHECKPOINTS / draft.hidden(self._study), self._descriptor())

    def drop(self, names: Iterable[str]) -> None:
        """Remove what was published; only after the record that says so is durable."""
        for name in names:
            with suppress(OSError):  # what stays is no longer referenced, so a later worker finds it
                self._discard(name)

    def clear(self, claims: Collection[tuple[int, int]]) -> None:
        """Remove all that was drafted or published for claims that were taken back, by trial and token."""
        lost = {f"{number}.{token}" for number, token in claims}
        with suppress(OSError):
            for name in os.listdir(self._descriptor()) if lost else ():
                if self._claim_of(name) in lost:
                    self._discard(name)

    def orphans(self, state: State) -> list[Path]:
        """Return what killed processes left; only under the lock, with a state folded under it.

        An orphan stays one, since tokens only grow; so it may be removed after the lock. Owned are recorded
        checkpoints, those of claims that are held, whose workers may be about to publish, and the scratch
        folders of trials that have not ended.
        """
        held = {f"{t.number}.{t.token}" for t in state.open.values() if t.worker is not None}
        saved = {published.name for published in state.saved.values()}
        alive = {f"{self._study}-{trial.number}" for trial in state.open.values()}
        checkpoints, scratch = _entries(self._folder(CHECKPOINTS)), _entries(self._folder(SCRATCH))
        left = [p for p in checkpoints if p.name not in saved and self._claim_of(p.name) not in held]
        left += [
            path
            for path in _entries(self._folder("."))
            if path.name.startswith((f".{STUDY}-", f".{SNAPSHOT}-"))
        ]
        return left + [path for path in scratch if path.name not in alive]

    def remove(self, orphans: Iterable[Path]) -> None:
        """Remove what `orphans` found."""
        for path in orphans:
            try_to_remove(path)

    def _discard(self, name: str) -> None:
        """Rename to a trash name, then remove, so that a reader sees all or nothing."""
        fd, trash = self._descriptor(), hidden_name(f"{TRASH}{name}")
        try:
            os.rename(name, trash, src_dir_fd=fd, dst_dir_fd=fd)
        except FileNotFoundError:
            return
        try_to_remove(self._folder(CHECKPOINTS) / trash, fd)

    def _published(self, draft: Draft, found: str, extent: Extent) -> Published:
        """Return what a draft is published as, once it is durable under some name."""
        digest = None
        if extent.size <= SMALL and stat.S_ISREG(self._mode(found)):
            digest = digest_of(found, self._descriptor())
        return Published(draft.name, extent.size, extent.files, digest)

    def _mode(self, name: str) -> int:
        """Return the mode of what has a name among the checkpoints, 0 where nothing has."""
        with suppress(FileNotFoundError):
            return os.lstat(name, dir_fd=self._descriptor()).st_mode
        return 0

    def _claim_of(self, name: str) -> str | None:
        """Return the claim, `<trial>.<token>`, that a name of this study is of; None for any other.

        A save may write a file beside its draft first, whose name then goes on.
        """
        found = _OF_CLAIM.match(name)
        return None if found is None or found[1] not in (None, self._study) else found[2]

    def _descriptor(self) -> int:
        """Return the open folder of the checkpoints, made when first asked for."""
        if self._fd is None:
            folder = self._made(CHECKPOINTS)
            with explained("open", folder):
                if self._durable:
                    sync(folder.parent)  # whoever made it may have died before its name was durable
                self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            weakref.finalize(self, close_read, self._fd)
        return self._fd

    def _folder(self, name: str) -> Path:
        if self._root is None:
            import tempfile

            self._root = Path(tempfile.mkdtemp(prefix="hoptim-"))
            weakref.finalize(self, _remove_own, self._root, os.getpid())
        return self._root / name

    def _made(self, name: str) -> Path:
        folder = self._folder(name)
        with explained("make", folder):
            make_folder(folder)
        return folder


def _entries(folder: Path) -> list[Path]:
    with explained("read", folder):
        return list(folder.iterdir()) if is_folder(folder) else []


def _remove_own(folder: Path, pid: int) -> None:
    if pid == os.getpid():  # a forked child that ends must not take its parent's folder along
        remove(folder)
