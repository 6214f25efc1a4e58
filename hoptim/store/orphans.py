"""Orphans: files and folders that killed processes left in a study's directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hoptim._files import explained, is_folder
from hoptim.store.draft import claim_of
from hoptim.store.layout import CHECKPOINTS, SCRATCH, SNAPSHOT, STUDY
from hoptim.store.state import State
from hoptim.store.tree import try_to_remove


class Orphans:
    """What killed processes left, heartbeats and pins apart.

    Args:
        folder: The study's directory; None in memory, where a killed process leaves nothing.
        uuid: The study's identifier, part of the names of drafts and scratch folders.
    """

    def __init__(self, folder: Path | None, uuid: str) -> None:
        self._folder, self._study = folder, uuid[:8]

    def find(self, state: State) -> list[Path]:
        """Return what is owned by nobody; only under the lock, with a state folded under it.

        An orphan stays one, since tokens only grow; so it may be removed after the lock. Owned are recorded
        checkpoints, those of claims that are held, whose workers may be about to publish, and the scratch
        folders of trials that have not ended.
        """
        if self._folder is None:
            return []
        held = {f"{t.number}.{t.token}" for t in state.open.values() if t.worker is not None}
        saved = {published.name for published in state.saved.values()}
        alive = {f"{self._study}-{trial.number}" for trial in state.open.values()}
        checkpoints, scratch = _entries(self._folder / CHECKPOINTS), _entries(self._folder / SCRATCH)
        drafts = (f".{STUDY}-", f".{SNAPSHOT}-")
        return [
            *(p for p in checkpoints if p.name not in saved and claim_of(p.name, self._study) not in held),
            *(p for p in _entries(self._folder) if p.name.startswith(drafts)),
            *(p for p in scratch if p.name not in alive),
        ]

    def all_done(self) -> None:
        """Note that no trial will begin from a checkpoint any more; all that was published stays."""

    def remove(self, orphans: Iterable[Path]) -> None:
        """Remove what `find` found."""
        for path in orphans:
            try_to_remove(path)


def _entries(folder: Path) -> list[Path]:
    with explained("read", folder):
        return list(folder.iterdir()) if is_folder(folder) else []
