"""Files of checkpoints: published whole under names of their own, removed when dropped."""

from __future__ import annotations

import os
import re
import stat
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from hoptim._files import close_read, explained, flush, is_folder, make_folder, sync
from hoptim.errors import CheckpointError
from hoptim.store.layout import CHECKPOINTS, SCRATCH, STUDY, hidden_name
from hoptim.store.linking import link_or_copy
from hoptim.store.state import State
from hoptim.store.tree import Extent, make_folder_in, measure, opened, remove, settle, try_to_remove


class Checkpoints:
    """The folders `checkpoints` and `scratch` of a study.

    `<n>.<token>` is the published checkpoint of trial n; the token is that of the claim, so a
    worker that lost its claim never overwrites anything. Names that begin with a dot are private:
    drafts on their way in, trash on its way out.

    Names change through a descriptor of the folder: should the directory be deleted and made anew
    by another study, a worker of this one writes to the deleted folder and nowhere else.

    Args:
        folder: The study's directory; None makes a temporary one that goes with this object.
        uuid: The study's identifier, part of the names of drafts and scratch folders.
    """

    def __init__(self, folder: Path | None, uuid: str) -> None:
        self._durable = folder is not None
        self._drafted: set[int] = set()  # tokens whose draft was asked for here
        self._root, self._study = folder, uuid[:8]
        self._fd: int | None = None

    def path(self, number: int, token: int) -> str:
        """Return the path of a trial's published checkpoint."""
        return str(self._folder(CHECKPOINTS) / f"{number}.{token}")

    def draft(self, number: int, token: int) -> Path:
        """Return the private path for the checkpoint of a claim."""
        self._drafted.add(token)
        draft = self._folder(CHECKPOINTS) / self._draft(number, token)
        with explained("look at", draft):
            if stat.S_ISLNK(self._mode(draft.name)):  # not ours, and it leads elsewhere
                remove(draft.name, self._descriptor())
        return draft

    def scratch(self, number: int) -> Path:
        """Return the private folder of a trial, made when first asked for."""
        scratch = self._made(SCRATCH) / f"{self._study}-{number}"
        with explained("make", scratch), opened(scratch.parent) as folder:
            make_folder_in(folder, scratch.name)
        return scratch

    def write(self, number: int, token: int, save: Callable[[str], object]) -> None:
        """Let the user's function write the draft of a claim.

        Raises:
            CheckpointError: It returned without a file or folder at the path it was given.
        """
        draft = self.draft(number, token)
        with explained("remove", draft):
            remove(draft.name, self._descriptor())  # of an earlier try that did not end
        save(str(draft))
        with explained("find", draft):
            mode = self._mode(draft.name)
        if not mode:
            found = os.listdir(self._descriptor())
            near = [name.removeprefix(draft.name) for name in found if name.startswith(draft.name)]
            hint = (
                f" It wrote a name that ends in {near[0]!r}: pass it an open file instead." if near else ""
            )
            for suffix in near:
                remove(draft.name + suffix, self._descriptor())
            raise CheckpointError(
                f"Trial {number}: save(path) returned, but nothing is at the path it was given.{hint} "
                "The claim is kept; tell again with a save that writes exactly there."
            )

    def publish(self, number: int, token: int) -> Extent:
        """Give the draft of a claim its public name; whole and durable when this returns.

        Only after a look at the journal that came after `draft`: it proves whose folder this is.

        Returns:
            Size of the checkpoint.

        Raises:
            CheckpointError: There is no draft, it is a link, or has a pipe, a socket or a device in it.
        """
        draft, final = self.draft(number, token), Path(self.path(number, token))
        fd = self._descriptor()
        with explained("publish", final):
            mode = self._mode(draft.name)
            if not mode and self._mode(final.name):
                flush(fd)
                return measure(final.name, fd)  # an earlier tell with an unknown outcome came this far
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CheckpointError(
                f"Trial {number}: a checkpoint must be a file or folder at trial.draft, and none is at "
                f"{str(draft)!r}. The claim is kept; write it there and tell again."
            )
        with explained("publish", final):
            extent = settle(draft.name, fd, f"Trial {number}", self._durable)
            self._discard(final.name)
            os.replace(draft.name, final.name, src_dir_fd=fd, dst_dir_fd=fd)
            if self._durable:
                flush(fd)
        return extent

    def adopt(self, source: str, number: int, token: int) -> None:
        """Publish another study's checkpoint as that of a trial: linked, else copied; then durable.

        Args:
            source: Path of a published file or folder.
            number: Trial.
            token: Claim.

        Raises:
            StoreError: It cannot be linked or copied.
            CheckpointError: It is neither a file nor a folder.
        """
        draft = self.draft(number, token)
        with explained("remove", draft):
            remove(draft.name, self._descriptor())
        with explained("share", source):
            link_or_copy(source, draft.name, self._descriptor())
        self.publish(number, token)

    def forget(self, number: int, token: int, ended: bool) -> None:
        """Remove what a claim left behind: its draft, and the scratch folder of a trial that has ended.

        Args:
            number: The trial.
            token: The claim.
            ended: True if the trial has ended, so that its scratch folder goes too.
        """
        if self._root is None:
            return
        if ended and os.path.lexists(scratch := f"{self._root}/{SCRATCH}/{self._study}-{number}"):
            try_to_remove(Path(scratch))
        if token in self._drafted:
            self._drafted.remove(token)
            try_to_remove(self._root / CHECKPOINTS / self._draft(number, token), self._descriptor())

    def drop(self, dropped: Iterable[tuple[int, int]]) -> None:
        """Remove what was published or drafted; only after the record that says so is durable."""
        for number, token in dropped:
            with suppress(OSError):  # what stays is recorded as dropped, so a later worker finds it
                self._discard(f"{number}.{token}")
                remove(self._draft(number, token), self._descriptor())

    def orphans(self, state: State) -> list[Path]:
        """Return what killed processes left; only under the lock, with a state folded under it.

        An orphan stays one, since tokens only grow; so it may be removed after the lock. Owned are recorded
        checkpoints, those of claims that are held, whose workers may be about to publish, and the scratch
        folders of trials that have not ended.
        """
        held = [(trial.number, trial.token) for trial in state.open.values() if trial.worker is not None]
        owned = [*state.saved.items(), *held]
        own = {name for at in owned for name in (self._draft(*at), f"{at[0]}.{at[1]}")}
        begun = re.compile(r"\.draft-\w+-\d+\.\d+")  # a save may write beside it first
        alive = {f"{self._study}-{trial.number}" for trial in state.open.values()}
        checkpoints, scratch = _entries(self._folder(CHECKPOINTS)), _entries(self._folder(SCRATCH))
        left = [
            path
            for path in checkpoints
            if path.name not in own and not ((at := begun.match(path.name)) and at[0] in own)
        ]
        left += [path for path in _entries(self._folder(".")) if path.name.startswith(f".{STUDY}-")]
        return left + [path for path in scratch if path.name not in alive]

    def remove(self, orphans: Iterable[Path]) -> None:
        """Remove what `orphans` found."""
        for path in orphans:
            try_to_remove(path)

    def _discard(self, name: str) -> None:
        """Rename to a trash name, then remove, so that a reader sees all or nothing."""
        fd, trash = self._descriptor(), hidden_name(f"trash-{name}")
        try:
            os.rename(name, trash, src_dir_fd=fd, dst_dir_fd=fd)
        except FileNotFoundError:
            return
        try_to_remove(self._folder(CHECKPOINTS) / trash, fd)

    def _mode(self, name: str) -> int:
        """Return the mode of what has a name among the checkpoints, 0 where nothing has."""
        with suppress(FileNotFoundError):
            return os.lstat(name, dir_fd=self._descriptor()).st_mode
        return 0

    def _draft(self, number: int, token: int) -> str:
        return f".draft-{self._study}-{number}.{token}"

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
