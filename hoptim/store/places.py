"""Places that a user names: from a path to the backend that it leads to."""

from __future__ import annotations

import os

from hoptim._paths import is_database, study_folder
from hoptim.store.backend import Backend
from hoptim.store.directory import Directory


def backend_at(
    path: str | os.PathLike[str], single_host: bool = False, bucket: str | None = None
) -> Backend:
    """Return the backend of the study at a path, there or not.

    Args:
        path: Directory, or URL of a study in a database.
        single_host: True if all processes run on this machine. Default: False.
        bucket: URL of the object storage for the checkpoints of a new study. Default: None, for none.

    Raises:
        ArgumentError: No path and no such URL, or a secret in it.
        MissingExtra: What it needs is not installed.
    """
    if bucket is not None:
        from hoptim.store.remote.bucket import Bucket  # seldom needed

        bucket = Bucket.place(bucket)
    if isinstance(path, str) and is_database(path):
        from hoptim.store.postgres.address import Address  # seldom needed
        from hoptim.store.postgres.backend import PostgresBackend

        return PostgresBackend(Address.of(path), bucket)
    return Directory(study_folder(path), single_host, bucket)
