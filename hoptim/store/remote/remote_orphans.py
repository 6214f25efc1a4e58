"""Orphans of a study whose checkpoints are in object storage: objects and uploads of killed processes."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hoptim.errors import HoptimError
from hoptim.store.draft import claim_of
from hoptim.store.orphans import Orphans
from hoptim.store.remote.bucket import Bucket
from hoptim.store.remote.cache import Cache
from hoptim.store.remote.remote_checkpoints import WORK
from hoptim.store.state import State

log = logging.getLogger("hoptim")


class Owned(NamedTuple):
    """What is owned by a state: anything else of an earlier claim is an orphan, then and for ever.

    Attributes:
        saved: Names of recorded checkpoints.
        held: Claims that are held, whose workers may be uploading.
        n: Number of records, which is above the token of each claim so far.
    """

    saved: frozenset[str]
    held: frozenset[str]
    n: int


class RemoteOrphans(Orphans):
    """What killed processes left in a study's directory, on this machine, and in object storage.

    The bucket is looked at in `remove` alone, without the lock, which nobody should hold while a service
    answers: what `find` saw owned by nobody stays so, and later claims are told by their tokens.

    Args:
        folder: The study's directory; None without one.
        uuid: The study's identifier.
        bucket: Checkpoints in object storage.
        cache: Copies on this machine.
    """

    def __init__(self, folder: Path | None, uuid: str, bucket: Bucket, cache: Cache) -> None:
        super().__init__(folder, uuid)
        self._work, self._bucket = Orphans(cache.folder / WORK, uuid), bucket
        self._cache = cache
        weakref.finalize(self, cache.close)  # at an exit after those of readers, which begin later

    def find(self, state: State) -> list[Any]:
        """Return what is owned by nobody, and last what is owned; only under the lock, as for `Orphans`."""
        held = frozenset(f"{t.number}.{t.token}" for t in state.open.values() if t.worker is not None)
        saved = frozenset(published.name for published in state.saved.values())
        return [*super().find(state), *self._work.find(state), Owned(saved, held, state.n)]

    def all_done(self) -> None:
        """Let go of the copies on this machine once the study is closed here, or the process ends."""
        self._cache.is_over = True

    def remove(self, orphans: Iterable[Any]) -> None:
        """Remove what `find` found; what cannot be removed is logged, and left for a later worker.

        So is the bucket when this process exits: threads look hosts up, and none can be started any more.
        """
        for each in orphans:
            if isinstance(each, Owned):
                if threading.main_thread().is_alive():
                    self._remove_all_but(each)
            else:
                super().remove([each])

    def _remove_all_but(self, owned: Owned) -> None:
        try:
            for name in self._bucket.names() - owned.saved:
                if self._is_past(name, owned):
                    self._bucket.remove(name)
            self._bucket.abort([name for name in self._bucket.uploading() if self._is_past(name, owned)])
        except HoptimError as error:
            log.warning("%s Nothing needs it: leftovers are looked for again by the next worker.", error)

    def _is_past(self, name: str, owned: Owned) -> bool:
        """Return whether a name is of a claim that can no longer be told."""
        claim = claim_of(name, self._study)
        return claim is not None and claim not in owned.held and int(claim.partition(".")[2]) < owned.n
