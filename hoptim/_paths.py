"""Paths as users write them: `~` is expanded, a study's own link is followed once; which URLs there are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hoptim._text import shown
from hoptim.errors import ArgumentError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # a Path has lost the second slash
_DATABASE = re.compile(r"postgres(ql)?://")


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path of the user's, with `~` and `~name` expanded.

    Args:
        path: Path of a file or folder, there or not.

    Raises:
        ArgumentError: No path, a URL, or the home folder of nobody.
    """
    try:
        text = os.fspath(path)
        possible = isinstance(text, str) and b"\0" not in os.fsencode(text)
    except Exception:  # no path, characters that have no bytes, or what an object's own code raises
        possible = False
    if not possible:
        raise ArgumentError(f"A path must be a str without NUL or a pathlib.Path, found {shown(path)}.")
    if url := _URL.match(text):
        raise ArgumentError(f"{text!r} is a URL. {_instead(url[1].lower())}")
    found = Path(os.path.expanduser(text))
    if text.startswith("~") and found.parts[0].startswith("~"):
        raise ArgumentError(
            f"{text!r} begins with the home folder of a user who cannot be found. Write the path from / "
            "on; a folder of that name has ./ in front."
        )
    return found


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return a path of the user's from / on.

    Args:
        path: Path of a file or folder, there or not.

    Raises:
        ArgumentError: See `user_path`; or the working directory is gone.
    """
    try:
        return user_path(path).absolute()
    except FileNotFoundError:
        raise ArgumentError(
            f"{str(path)!r} cannot be found: the working directory was removed. Change to another one."
        ) from None


def study_folder(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a study's directory; where that is a link, the path it leads to.

    The link is followed once, when a study is opened: whoever turns it to another directory later does
    not move a run that goes on. Links above the directory stay, since another machine may have others.

    Args:
        path: Directory, there or not.

    Raises:
        ArgumentError: See `absolute_path`; or the link leads to itself.
    """
    folder = absolute_path(path)
    if os.path.islink(folder):
        target = Path(os.path.realpath(folder))
        if os.path.islink(target):
            raise ArgumentError(f"{str(folder)!r} is a link that leads to itself. Remove it.")
        return target
    return folder


def is_database(path: object) -> bool:
    """Return whether a user names the URL of a database, which keeps a study as a directory does."""
    return isinstance(path, str) and _DATABASE.match(path) is not None


def study_name(url: str) -> str:
    """Return the name of a study in a database, as its URL says it; "" where it says none."""
    from urllib.parse import parse_qs, urlsplit  # opens nothing, and is seldom needed

    return parse_qs(urlsplit(url).query).get("study", [""])[-1]


def database_name(url: str) -> str:
    """Return the name of a database, as its URL says it; "" where it says none."""
    from urllib.parse import unquote, urlsplit  # opens nothing, and is seldom needed

    return unquote(urlsplit(url).path.strip("/"))


def study_place(path: str | os.PathLike[str]) -> str | Path:
    """Return the URL of a study in a database, else the path of its directory as `study_folder` does.

    Args:
        path: URL or directory.

    Raises:
        ArgumentError: See `study_folder`.
    """
    return path if isinstance(path, str) and is_database(path) else study_folder(path)


def _instead(scheme: str) -> str:
    """Return a sentence that says what to write instead of a URL."""
    if scheme == "file":
        return "Write the path alone, without 'file://'."
    if scheme in ("postgresql", "postgres"):
        return (
            "A study may be there, given as a str; a path object has lost one of the slashes. For anything "
            "else, give a path in a local or shared directory."
        )
    return (
        "hoptim needs locks and appends: use a local or shared directory, or postgresql://user@host/db?"
        f"study=name. Checkpoints alone may be at {scheme}://, as checkpoints= of the study. A folder of "
        "that name has ./ in front."
    )
