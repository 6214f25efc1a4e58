"""Names of studies, by which pictures and pages tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hoptim._paths import database_name, is_database, study_name

_Folder = str | None


def name_of(path: _Folder) -> str:
    """Return the name of one study: that of its folder, or its own in a database; or that of a database."""
    if path and is_database(path):
        return study_name(path) or database_name(path) or "a database"
    return Path(path).name if path else "study in memory"


def names(paths: Sequence[_Folder]) -> list[str]:
    """Return the end of each path that tells it from the others, at least the folder's name.

    Args:
        paths: Folders of studies; None for those in memory, which are counted.
    """
    parts = [_parts(path or f"study {i}") for i, path in enumerate(paths)]
    length = 1
    while len({own[-length:] for own in parts}) < len(set(parts)):
        length += 1
    return ["/".join(own[-length:]) for own in parts]


def _parts(path: str) -> tuple[str, ...]:
    return (path, study_name(path)) if is_database(path) else Path(path).parts
