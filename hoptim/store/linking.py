"""Checkpoints that two studies share: hard links, or copies where there are none."""

from __future__ import annotations

import os
from pathlib import Path


def link_or_copy(source: str, target: Path) -> None:
    """Give a file or folder a second name; on another file system, copy it.

    A link shares the bytes, so what is written into a published file is written for both.

    Args:
        source: Path of a published checkpoint.
        target: Path that does not exist yet.
    """
    if os.path.isdir(source):
        import shutil  # seldom needed, and slow to import

        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        import shutil  # seldom needed, and slow to import

        shutil.copyfile(source, target)
