"""Places that a user names: from a path to the backend that it leads to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hoptim._paths import is_database, study_folder, study_name
from hoptim.store.backend import Backend
from hoptim.store.directory import Directory
from hoptim.store.finding import studies_below


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
        MissingExtra: A package that it needs is not installed.
    """
    if bucket is not None:
        from hoptim.store.remote.bucket import Bucket  # seldom needed

        bucket = Bucket.place(bucket)
    if isinstance(path, str) and is_database(path):
        from hoptim.store.postgres.address import Address  # seldom needed
        from hoptim.store.postgres.backend import PostgresBackend

        return PostgresBackend(Address.of(path), bucket)
    return Directory(study_folder(path), single_host, bucket)


def require_url(url: str) -> None:
    """Raise what is wrong with the URL of a study in a database, or of a database; nothing is connected to.

    Raises:
        ArgumentError: It is no such URL, or holds a password.
        MissingExtra: A package that it needs is not installed.
    """
    from hoptim.store.postgres.listing import address_of  # seldom needed

    address_of(url)


def studies_at(
    place: str | Path, depth: int, refused: Callable[[OSError], object]
) -> Iterator[tuple[str | Path, str]]:
    """Yield what opens each study at a place, and its name there.

    Args:
        place: Folder to search, which may be a study itself; or URL of a study, or of a database.
        depth: Levels of folders to search below a folder.
        refused: Function that is called with the error where something cannot be read.
    """
    if isinstance(place, Path):
        for path in studies_below(place, depth, refused):
            yield path, str(path.relative_to(place)) if path != place else path.name
    elif study_name(place):
        yield place, study_name(place)
    else:
        from hoptim.store.postgres.listing import studies_in  # seldom needed

        try:
            yield from [(url, study_name(url)) for url in studies_in(place)]
        except OSError as error:
            refused(error)
