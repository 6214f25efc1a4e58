"""Places that a user names: from a path to the backend that it leads to."""

from __future__ import annotations

import os

from hoptim._paths import study_folder
from hoptim.store.backend import Backend
from hoptim.store.directory import Directory


def backend_at(path: str | os.PathLike[str], single_host: bool = False) -> Backend:
    """Return the backend of the study at a path, there or not.

    Args:
        path: Directory.
        single_host: True if all processes run on this machine. Default: False.

    Raises:
        ArgumentError: No path.
    """
    return Directory(study_folder(path), single_host)
