"""A picture in a file."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

import hoptim
from hoptim._paths import user_path

_DPI = 150


def check_format(path: str | os.PathLike[str]) -> None:
    """Raise `ArgumentError` unless a file's ending is a picture format that matplotlib can write."""
    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if Path(path).suffix[1:].lower() not in kinds:
        raise hoptim.ArgumentError(
            f"A picture's name must end in one of {kinds}, found {os.fspath(path)!r}."
        )


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file; replaces one that is there.

    Args:
        figure: Figure returned by a function of `hoptim.plot`.
        path: File to write; its ending sets the format, such as .png, .pdf or .svg.

    Raises:
        ArgumentError: The ending is no picture format.
        OSError: The file cannot be written.
    """
    check_format(path)
    found = user_path(path)
    own = {"Software": "hoptim"} if found.suffix.lower() == ".png" else None
    figure.savefig(found, dpi=_DPI, metadata=own)
