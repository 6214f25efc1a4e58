"""Studies in a folder and below it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from hoptim.store.layout import JOURNAL, STUDY

DEPTH = 3  # levels of folders below the first


def studies_below(folder: Path, depth: int, refused: Callable[[OSError], object]) -> Iterator[Path]:
    """Yield the directories of studies in order; links and hidden folders are not followed.

    Args:
        folder: Folder to search, which may be a study itself.
        depth: Levels of folders to search below it.
        refused: Called with the error where a folder cannot be read; the others are searched.
    """
    for path, below, files in os.walk(folder, onerror=refused):
        if STUDY in files or JOURNAL in files:
            below.clear()
            yield Path(path)
        elif len(Path(path).relative_to(folder).parts) >= depth:
            below.clear()
        else:
            below[:] = sorted(name for name in below if not name.startswith("."))
