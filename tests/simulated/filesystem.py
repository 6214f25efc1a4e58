"""A file system in memory. A power cut keeps what was synced, and of the rest any part in any shape.

The worst that file systems are known to do is allowed: names and bytes reach the disk in any order,
a write is torn at any byte, a size arrives before its bytes, and after a failed fsync the bytes count
as clean, so that the next fsync succeeds without them.
"""

from __future__ import annotations

import errno
import os
import random
import stat
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Write = tuple[int, bytes | None, object]  # offset, bytes, writer; None instead of bytes cuts there


_OWNER = (os.getuid(), os.getgid())


class Stat(NamedTuple):
    """What `os.stat` says about a node, as far as anyone asks."""

    st_mode: int
    st_ino: int
    st_dev: int
    st_nlink: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mtime_ns: int

    @property
    def st_mtime(self) -> float:
        """Seconds."""
        return self.st_mtime_ns / 1e9


class Node:
    """What a name stands for."""

    holder: object = None  # who has the flock

    @property
    def size(self) -> int:
        """Bytes, 0 of a folder."""
        return 0

    def __init__(self, number: int, mode: int, now: float) -> None:
        self.number, self.mode, self.changed = number, mode, now

    def stat(self, size: int) -> Stat:
        """The status, given the size that the asker sees."""
        return Stat(self.mode, self.number, 1, 1, *_OWNER, size, round(self.changed * 1e9))


class File(Node):
    """Bytes: as everybody reads them, as they are on the disk, and the writes in between."""

    def __init__(self, number: int, mode: int, now: float) -> None:
        super().__init__(number, stat.S_IFREG | mode, now)
        self.data = self.durable = b""
        self.pending: list[Write] = []

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def write(self, offset: int, part: bytes | None, writer: object) -> None:
        """Put bytes at an offset, or cut there."""
        self.pending.append((offset, part, writer))
        self.data = _written(self.data, offset, part)

    def sync(self) -> None:
        """All writes since the last sync are on the disk."""
        for offset, part, _ in self.pending:
            self.durable = _written(self.durable, offset, part)
        self.pending = []

    def fail_sync(self, rng: random.Random) -> None:
        """Some writes are on the disk; no later sync writes the others, and the cache may lose them."""
        self.durable = self._settled(rng)
        self.pending = []
        if rng.random() < 0.3:
            self.data = self.durable

    def power_cut(self, rng: random.Random) -> None:
        """What is left."""
        self.data = self.durable = self._settled(rng)
        self.pending, self.holder = [], None

    def _settled(self, rng: random.Random) -> bytes:
        data = self.durable
        for offset, part, _ in _survivors(self.pending, rng):
            old = data[offset : offset + len(part or b"")]
            data = _written(data, offset, part and _maimed(part, old, rng))
        return data


class Folder(Node):
    """Names: as everybody sees them, as they are on the disk, and the changes in between."""

    def __init__(self, number: int, mode: int, now: float) -> None:
        super().__init__(number, stat.S_IFDIR | mode, now)
        self.names: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.pending: list[tuple[str | None, str | None, Node]] = []  # old name, new name, node

    def change(self, old: str | None, new: str | None, node: Node) -> None:
        """Take a name away, give one, or both at once."""
        self.pending.append((old, new, node))
        _renamed(self.names, old, new, node)

    def sync(self) -> None:
        """All names are on the disk as they are now."""
        self.durable, self.pending = dict(self.names), []

    def fail_sync(self, rng: random.Random) -> None:
        """Nothing more is certain than before."""

    def power_cut(self, rng: random.Random) -> None:
        """What is left."""
        left = _survivors(self.pending, rng)
        if rng.random() < 0.3:
            rng.shuffle(left)
        for old, new, node in left:
            _renamed(self.durable, old, new, node)
        self.names, self.pending = dict(self.durable), []


class FileSystem:
    """A tree of folders and files below one root; no links, no rename from folder to folder."""

    def __init__(self, root: str, rng: random.Random) -> None:
        self._depth = root.count("/") + 1
        self._rng = rng
        self._count = 1
        self.root = Folder(1, 0o755, 0.0)

    def find(self, path: str) -> Any:
        """The node at a path."""
        node: Any = self.root
        try:
            for name in path.split("/")[self._depth :]:
                node = node.names[name]
        except KeyError:
            raise refusal(errno.ENOENT, path) from None
        except AttributeError:
            raise refusal(errno.ENOTDIR, path) from None
        return node

    def place(self, path: str) -> tuple[Folder, str]:
        """The folder that a path's last name belongs to, and that name."""
        above, _, name = path.rpartition("/")
        folder = self.find(above)
        if not isinstance(folder, Folder):
            raise refusal(errno.ENOTDIR, path)
        return folder, name

    def make(self, path: str, kind: Callable[[int, int, float], Node], mode: int, now: float) -> Any:
        """A new file or folder."""
        self._count += 1
        node = kind(self._count, mode, now)
        self.give(path, node)
        return node

    def give(self, path: str, node: Node) -> None:
        """A name for a node; the path must be free."""
        folder, name = self.place(path)
        if name in folder.names:
            raise refusal(errno.EEXIST, path)
        folder.change(None, name, node)

    def take(self, path: str, kind: type[Node]) -> None:
        """Remove a name; only what is empty."""
        folder, name = self.place(path)
        node = self.find(path)
        if not isinstance(node, kind):
            raise refusal(errno.ENOTDIR if kind is Folder else errno.EISDIR, path)
        if isinstance(node, Folder) and node.names:
            raise refusal(errno.ENOTEMPTY, path)
        folder.change(name, None, node)

    def rename(self, old: str, new: str) -> None:
        """Give a node another name at once, also one that another file or an empty folder has."""
        node, (folder, name), (target, fresh) = self.find(old), self.place(old), self.place(new)
        if folder is not target:
            raise refusal(errno.EXDEV, old)
        found = folder.names.get(fresh)
        if isinstance(found, Folder) and (found.names or not isinstance(node, Folder)):
            raise refusal(errno.ENOTEMPTY if found.names else errno.EISDIR, new)
        if isinstance(found, File) and isinstance(node, Folder):
            raise refusal(errno.ENOTDIR, new)
        folder.change(name, fresh, node)

    def power_cut(self) -> None:
        """Forget what was not on the disk."""
        met, todo = set(), [self.root]
        while todo:
            node: Any = todo.pop()
            if node.number not in met:
                met.add(node.number)
                node.power_cut(self._rng)
                todo += getattr(node, "names", {}).values()


def _written(data: bytes, offset: int, part: bytes | None) -> bytes:
    if part is None:
        return data[:offset].ljust(offset, b"\0")
    return data[:offset].ljust(offset, b"\0") + part + data[offset + len(part) :]


def _renamed(names: dict[str, Node], old: str | None, new: str | None, node: Node) -> None:
    if old is not None and names.get(old) is node:
        del names[old]
    if new is not None:
        names[new] = node


def _survivors(pending: Sequence[Any], rng: random.Random) -> list[Any]:
    """Which of the operations since the last sync reach the disk: none, the first ones, or any."""
    way = rng.random()
    if way < 0.5:
        return list(pending[: rng.randrange(len(pending) + 1)]) if way < 0.25 else []
    return [operation for operation in pending if rng.random() < 0.6]


def _maimed(part: bytes, old: bytes, rng: random.Random) -> bytes:
    """A write as it may reach the disk: whole, torn, or with zeros where there were no bytes before."""
    way, at = rng.random(), rng.randrange(len(part) + 1)
    if way < 0.3:
        return part[:at]
    before = old.ljust(len(part), b"\0")
    if way < 0.45:
        return part[:at] + before[at:]
    return before[:at] + part[at:] if way < 0.5 else part


def refusal(number: int, path: str) -> OSError:
    """The error that a kernel raises."""
    return OSError(number, os.strerror(number), path)
