"""Mounts whose locks reach no further than this machine, or may not, though they seem to work."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path
from typing import NamedTuple

from hoptim.errors import StoreError

log = logging.getLogger("hoptim")

_TABLE = "/proc/self/mountinfo"
_warned: set[str] = set()  # mounts that this process has warned of


class Rule(NamedTuple):
    """Mounts of one sort; its patterns must match as a whole. docs/mounts.md names the sources.

    Attributes:
        kind: Pattern of the type of the file system.
        why: Defect of such a mount, or condition on which its locks reach other machines.
        option: Pattern of an option of the mount. Default: "", any options.
        source: Pattern of the device or server that is mounted. Default: any.
    """

    kind: str
    why: str
    option: str = ""
    source: str = ".*"


_OBJECTS = "it is an object store: each write replaces a whole object, and locks stay on one machine"
_UPLOADS = "davfs uploads a file as a whole when it is closed, and locks stay on one machine"

_UNSHARED = (
    Rule(r"nfs4?", "its locks are kept by each client for itself", r"nolock|local_lock=(all|flock)"),
    Rule(r"lustre", "its locks are kept by each node for itself", r"localflock"),
    Rule(r"lustre", "it has no flock", r"noflock"),
    Rule(r"ocfs2|gfs2?", "its locks are kept by each node for itself", r"localflocks"),
    Rule(r"cifs|smb3", "its locks are not sent to the server", r"nobrl"),
    Rule(r"fuse\.sshfs", "sshfs keeps locks on each machine for itself"),
    Rule(r"fuse\.(s3fs|gcsfuse|rclone|goofys|mount-s3|mountpoint-s3)", _OBJECTS),
    Rule(r"fuse", _OBJECTS, source=r"s3fs|gcsfuse|goofys|mount-?s3|mountpoint-s3"),
    Rule(r"davfs2?|fuse\.davfs2?", _UPLOADS),
    Rule(r"fuse", _UPLOADS, source=r"https?://.*"),
)
_GUEST = "a virtual machine or container may keep its locks for itself"
_DEPENDING = (
    Rule(r"9p|virtiofs|drvfs|vboxsf|prl_fs|fuse\.(vmhgfs-fuse|grpcfuse|osxfs)", _GUEST),
    Rule(r"fuse\.bindfs", "bindfs forwards locks only with --enable-lock-forwarding"),
    Rule(r"beegfs", "its locks are kept by each node for itself, unless tuneUseGlobalFileLocks is true"),
    Rule(r"gpfs", "whether its flock reaches other nodes depends on how it is set up"),
    Rule(r"fuse", "it does not say what it is, and may keep its locks on this machine"),
)


class Mount(NamedTuple):
    """Mount that a folder is on.

    Attributes:
        point: Folder that it is mounted on.
        kind: Type of the file system, such as "ext4" or "nfs4".
        source: Device or server's folder that is mounted.
        options: Options of the mount and of the file system.
    """

    point: str
    kind: str
    source: str
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
    return _why(folder, _UNSHARED)


def why_doubtful(folder: Path) -> str | None:
    """Return why locks in a folder may not reach other machines; None if nothing is known against them."""
    return _why(folder, _DEPENDING)


def require_shared_locks(folder: Path) -> None:
    """Raise `StoreError` if a folder's locks are known not to reach other machines; warn if they may not.

    A mount is warned of once in each process.
    """
    if why := why_unshared(folder):
        raise StoreError(
            errno.ENOLCK,
            f"The study {str(folder)!r} cannot be shared between machines: {why}, and two workers "
            "would overwrite each other in silence. Mount it with locks, use another directory, or "
            "pass single_host=True if all of its processes run on one machine.",
        )
    if (why := why_doubtful(folder)) and why not in _warned:
        _warned.add(why)
        log.warning(
            "The locks of the study %r may not reach other machines: %s. Before several machines share "
            "it, run `hoptim check-dir DIR --machines 2` on two of them at once. If all of its processes "
            "run on one machine, pass single_host=True.",
            str(folder), why,
        )  # fmt: skip


def _why(folder: Path, rules: tuple[Rule, ...]) -> str | None:
    """Return what the first rule that matches a folder's mount says; None if none does."""
    mount = of(folder)
    if mount is None:
        return None
    for rule in rules:
        if re.fullmatch(rule.kind, mount.kind) and re.fullmatch(rule.source, mount.source):
            named = (
                sorted(o for o in mount.options if re.fullmatch(rule.option, o)) if rule.option else [""]
            )
            if named:
                with_option = f" with the option {named[0]}" if named[0] else ""
                return f"{mount.point} is mounted as {mount.kind}{with_option}: {rule.why}"
    return None


def _parse(line: str) -> Mount:
    """Parse a line of mountinfo: id, parent, device, root, point, options, tags, -, kind, source, more."""
    front, _, back = line.rstrip("\n").partition(" - ")
    fields, (kind, source, options) = front.split(" "), back.split(" ")
    point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return Mount(point, kind, source, frozenset([*fields[5].split(","), *options.split(",")]))
