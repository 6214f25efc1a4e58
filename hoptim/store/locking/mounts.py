"""Mounts whose locks reach no further than this machine, though they seem to work."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import NamedTuple

from hoptim.errors import StoreError

_TABLE = "/proc/self/mountinfo"

# Kind of file system (a pattern), option (a pattern; "" is any), and what is wrong with it.
_UNSHARED = (
    (r"nfs4?", r"nolock|local_lock=(all|flock)", "its locks are kept by each client for itself"),
    (r"lustre", r"localflock", "its locks are kept by each node for itself"),
    (r"lustre", r"noflock", "it has no flock"),
    (r"cifs|smb3", r"nobrl", "its locks are not sent to the server"),
    (r"fuse\.sshfs", r"", "sshfs keeps locks on each machine for itself"),
)


class Mount(NamedTuple):
    """Mount that a folder is on.

    Attributes:
        point: Folder that it is mounted on.
        kind: Type of the file system, such as "ext4" or "nfs4".
        options: Options of the mount and of the file system.
    """

    point: str
    kind: str
    options: frozenset[str]


def of(folder: Path) -> Mount | None:
    """Return the mount that a folder, or its nearest parent that exists, is on; None where unknown."""
    try:
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            mounts = [_parse(line) for line in table]
    except (OSError, ValueError, IndexError):
        return None  # no Linux; nothing is known, so nothing is refused
    path = os.path.realpath(folder)
    over = [m for m in mounts if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
    # The longest point, and of several mounts on one point the last one, hides the others.
    return max(enumerate(over), key=lambda at: (len(at[1].point), at[0]))[1] if over else None


def why_unshared(folder: Path) -> str | None:
    """Return why locks in a folder do not reach other machines; None if nothing is known against them."""
    mount = of(folder)
    if mount is None:
        return None
    for kind, option, why in _UNSHARED:
        if re.fullmatch(kind, mount.kind):
            named = sorted(o for o in mount.options if re.fullmatch(option, o)) if option else [""]
            if named:
                with_option = f" with the option {named[0]}" if named[0] else ""
                return f"{mount.point} is mounted as {mount.kind}{with_option}: {why}"
    return None


def require_shared_locks(folder: Path) -> None:
    """Raise `StoreError` if a folder's locks are known not to reach other machines."""
    if why := why_unshared(folder):
        raise StoreError(
            errno.ENOLCK,
            f"The study {str(folder)!r} cannot be shared between machines: {why}, and two workers "
            "would overwrite each other in silence. Mount it with locks, use another directory, or "
            "pass single_host=True if all of its processes run on one machine.",
        )


def _parse(line: str) -> Mount:
    """Parse a line of mountinfo: id, parent, device, root, point, options, tags, -, kind, source, more."""
    front, _, back = line.rstrip("\n").partition(" - ")
    fields, (kind, _, options) = front.split(" "), back.split(" ")
    point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return Mount(point, kind, frozenset([*fields[5].split(","), *options.split(",")]))
