"""Storage of a study's checkpoints: its directory, object storage, or none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hoptim.errors import CheckpointError
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.orphans import Orphans
from hoptim.store.published import Published


class Storage(NamedTuple):
    """Files of a study.

    Attributes:
        checkpoints: Files of the checkpoints.
        orphans: Search for files that killed processes left.
    """

    checkpoints: Checkpoints
    orphans: Orphans


def storage_of(folder: Path | None, uuid: str, bucket: str | None) -> Storage:
    """Return the storage of a study.

    Args:
        folder: Directory of the study; None for one in a database.
        uuid: Identifier of the study.
        bucket: URL of object storage for the checkpoints; None for the directory.
    """
    if bucket is not None:
        from hoptim.store.remote.remote_checkpoints import RemoteCheckpoints  # seldom needed
        from hoptim.store.remote.remote_orphans import RemoteOrphans

        remote = RemoteCheckpoints(bucket, uuid, folder)
        return Storage(remote, RemoteOrphans(folder, uuid, remote.bucket, remote.cache))
    if folder is None:
        return Storage(_NoCheckpoints(None, uuid), Orphans(None, uuid))
    return Storage(Checkpoints(folder, uuid), Orphans(folder, uuid))


class _NoCheckpoints(Checkpoints):
    """Checkpoints of a study in a database that has no storage for them: drafts are written, no more."""

    def publish(self, draft: Draft) -> Published:
        """Raise `CheckpointError`."""
        raise CheckpointError(
            f"Trial {draft.number}: this study is in a database, and was made without a place for "
            "checkpoints. Make another one with checkpoints='s3://bucket/prefix', or any place that all "
            "workers reach; a trial without a checkpoint is told without save= and checkpoint=."
        )
