"""Checkpoints: published whole under a name of their own, dropped when nobody needs them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

from hoptim.errors import CheckpointError
from hoptim.files import explained, make_folder, remove, sync, sync_tree


class Checkpoints:
    """The folders `checkpoints` and `scratch` of a study.

    `<n>.<token>` is the published checkpoint of trial n; the token is that of the claim, so a
    worker that lost its claim never overwrites anything. Names that begin with a dot are private:
    drafts on their way in, trash on its way out.

    Args:
        folder: The study's directory; None makes a temporary one that goes with this object.
    """

    def __init__(self, folder: Path | None) -> None:
        self._durable = folder is not None
        self._drafted: set[int] = set()  # tokens whose draft was asked for here
        self._root = folder

    def path(self, number: int, token: int) -> str:
        """Where the published checkpoint of a trial is."""
        return str(self._folder("checkpoints") / f"{number}.{token}")

    def draft(self, number: int, token: int) -> Path:
        """Private path for the checkpoint of a claim."""
        self._drafted.add(token)
        return self._made("checkpoints") / f".draft-{number}.{token}"

    def scratch(self, number: int) -> Path:
        """Private folder of a trial, made when first asked for."""
        return self._made(f"scratch/{number}")

    def write(self, number: int, token: int, save: Callable[[str], object]) -> None:
        """Let the user's function write the draft of a claim.

        Raises:
            CheckpointError: It returned without a file or folder at the path it was given.
        """
        draft = self.draft(number, token)
        remove(draft)  # of an earlier try that did not end
        save(str(draft))
        if not os.path.lexists(draft):
            near = [p.name[len(draft.name) :] for p in draft.parent.glob(f"{draft.name}*")]
            hint = (
                f" It wrote a name that ends in {near[0]!r}: pass it an open file instead." if near else ""
            )
            for suffix in near:
                remove(draft.with_name(draft.name + suffix))
            raise CheckpointError(
                f"Trial {number}: save(path) returned, but nothing is at the path it was given.{hint} "
                "The claim is kept; tell again with a save that writes exactly there."
            )

    def publish(self, number: int, token: int) -> None:
        """Give the draft of a claim its public name; whole and durable when this returns.

        Raises:
            CheckpointError: There is no draft, or it is a link.
        """
        draft, final = self.draft(number, token), Path(self.path(number, token))
        if not os.path.lexists(draft) and final.exists():
            return  # an earlier tell with an unknown outcome came this far
        if draft.is_symlink() or not (draft.is_file() or draft.is_dir()):
            raise CheckpointError(
                f"Trial {number}: a checkpoint must be a file or folder at trial.draft, and none is at "
                f"{str(draft)!r}. The claim is kept; write it there and tell again."
            )
        with explained("publish", final):
            if self._durable:
                sync_tree(draft)
            if final.exists():
                self._discard(final)
            os.replace(draft, final)
            if self._durable:
                sync(final.parent)

    def forget(self, number: int, token: int, ended: bool) -> None:
        """Remove what a claim left behind: its draft, and the scratch folder of a trial that has ended.

        Args:
            number: The trial.
            token: The claim.
            ended: Whether the trial has ended, so that its scratch folder goes too.
        """
        if self._root is None:
            return
        left = [f"{self._root}/scratch/{number}"] if ended else []
        if token in self._drafted:
            self._drafted.remove(token)
            left.append(f"{self._root}/checkpoints/.draft-{number}.{token}")
        for path in left:
            if os.path.lexists(path):
                remove(Path(path))

    def drop(self, dropped: Iterable[tuple[int, int]]) -> None:
        """Remove what was published or drafted; only after the record that says so is durable."""
        for number, token in dropped:
            published = Path(self.path(number, token))
            self._discard(published)
            remove(published.with_name(f".draft-{published.name}"))

    def orphans(self, owned: Iterable[tuple[int, int]], open_: Iterable[int]) -> list[Path]:
        """What killed processes left. Only under the lock, with a state folded under it.

        An orphan stays one, since tokens only grow; so it may be removed after the lock.

        Args:
            owned: Number and token of each recorded checkpoint, and of each claim that is held:
                its worker may be about to publish.
            open_: Trials that have not ended; their scratch folders stay.
        """
        own = {f"{number}.{token}" for number, token in owned}
        alive = {str(number) for number in open_}
        checkpoints, scratch = _entries(self._folder("checkpoints")), _entries(self._folder("scratch"))
        left = [path for path in checkpoints if path.name.removeprefix(".draft-") not in own]
        return left + [path for path in scratch if path.name not in alive]

    def remove(self, orphans: Iterable[Path]) -> None:
        """Remove what `orphans` found."""
        for path in orphans:
            remove(path)

    def _discard(self, path: Path) -> None:
        """Rename to a trash name, then remove, so that a reader sees all or nothing."""
        trash = path.with_name(f".trash-{path.name}-{os.urandom(4).hex()}")
        try:
            os.rename(path, trash)
        except FileNotFoundError:
            return
        remove(trash)

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
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _remove_own(folder: Path, pid: int) -> None:
    if pid == os.getpid():  # a forked child that ends must not take its parent's folder along
        remove(folder)
