"""The line above each result of the cost scripts: versions, machine and load."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import hoptim
from hoptim.store.locking import mounts

ROOT = Path(__file__).resolve().parents[2]


def header(folder: Path, *more: str) -> str:
    """Return what a result depends on: versions, cores, file system, and the load before it.

    Args:
        folder: Folder in which files are written.
        *more: Further packages and their versions.
    """
    mount = mounts.of(folder.resolve())
    parts = [
        f"hoptim {hoptim.__version__} ({commit(ROOT)})",
        f"Python {platform.python_version()}",
        f"numpy {np.__version__}",
        *more,
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"{os.cpu_count()} cores",
        mount.kind if mount else "unknown file system",
        f"load {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts)


def commit(checkout: Path) -> str:
    """Return the short hash of a checkout's commit, with `-dirty` if files differ from it."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no commit"


def spread(values: Sequence[float]) -> str:
    """Return the median, and the minimum and maximum in brackets."""
    middle, low, high = map(_short, (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low} .. {high})"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
