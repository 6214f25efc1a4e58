"""All calls that reach a kernel, answered by a simulated world."""

from __future__ import annotations

import errno
import math
import stat
from collections.abc import Iterator
from typing import Any

from tests.simulated.descriptors import Files
from tests.simulated.filesystem import File, Folder, refusal


class System(Files):
    """Answers the calls of a world's processes."""

    def stat(self, path: str, *, follow_symlinks: bool = True) -> Any:
        return self.world.call("stat", path, self._stat, path)

    def _stat(self, path: str) -> Any:
        world, node = self.world, self.fs.find(path)
        me = world.process
        self.looks[me, path] = world.now
        if world.nfs and world.current is not None:
            since, found = me.machine.attributes.get(node, (-math.inf, None))
            if found is not None and world.now - since < world.cached:
                return found
            me.machine.attributes[node] = (world.now, node.stat(node.size))
        return node.stat(node.size)

    def utime(self, path: str, *, follow_symlinks: bool = True) -> None:
        self.world.call("utime", path, self._utime, path)

    def _utime(self, path: str) -> None:
        self.beats[path].append(self.world.now)
        node = self.fs.find(path)
        if self.world.mutant != "nobeat":
            self._changed(node)

    def fchmod(self, fd: int, mode: int) -> None:
        descriptor = self._at(fd)
        self.world.call("fchmod", descriptor.path, self._fchmod, descriptor.file, mode)

    def _fchmod(self, node: Any, mode: int) -> None:
        node.mode = stat.S_IFMT(node.mode) | mode

    def unlink(self, path: str) -> None:
        self.world.call("unlink", path, self.fs.take, path, File)

    def rmdir(self, path: str) -> None:
        self.world.call("rmdir", path, self.fs.take, path, Folder)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self.world.call("mkdir", path, self.fs.make, path, Folder, mode & 0o755, self.world.now)

    def link(self, path: str, new: str) -> None:
        self.world.call("link", path, self._link, path, new)

    def _link(self, path: str, new: str) -> None:
        if not self.world.links:
            raise refusal(errno.EPERM, path)
        self.fs.give(new, self.fs.find(path))

    def rename(self, path: str, new: str) -> None:
        self.world.call("rename", path, self.fs.rename, path, new)

    def listdir(self, path: str) -> Any:
        return self.world.call("listdir", path, lambda at: list(self.fs.find(at).names), path)

    def scandir(self, path: str) -> Entries:
        nodes = self.world.call("scandir", path, lambda at: dict(self.fs.find(at).names), path)
        return Entries([TrialRecord(path, name, node) for name, node in nodes.items()])

    def sleep(self, seconds: float) -> None:
        world = self.world
        world.call("sleep", "", lambda: None)
        world.wait(world.now + seconds / world.process.machine.rate)

    def getpid(self) -> int:
        process = self.world.process
        return 0 if process.dead or process.exiting else process.pid

    def proc(self, path: str) -> str:
        """What a file of /proc says."""
        me = self.world.process
        if path == "/proc/sys/kernel/random/boot_id":
            return me.machine.boot_id
        if path == "/proc/self/status":
            return f"NSpid:\t{me.pid}"
        if not path.endswith("/stat"):
            raise refusal(errno.ENOENT, path)
        pid = int(path.split("/")[2])
        found = self._process(pid)
        if found is None:
            raise refusal(errno.ENOENT, path)
        return f"{pid} (python) {'Z' if found.dead else 'S'} {'0 ' * 18}{found.serial}"

    def _process(self, pid: int) -> Any:
        """The process that has a pid where the caller is, None where none has."""
        me = self.world.process
        found = me.machine.processes.get((me.space, pid))
        return None if found is None or (found.dead and not found.zombie) else found

    def kill(self, pid: int, number: int) -> None:
        assert number == 0, "only asking is simulated"
        if self._process(pid) is None:
            raise refusal(errno.ESRCH, "")

    def readlink(self, path: str) -> str:
        if path == "/proc/self/ns/time":
            return "time:[0]"
        if path == "/proc/self/ns/pid":
            return "pid:[0]" if self.world.mutant == "onespace" else f"pid:[{self.world.process.space}]"
        raise refusal(errno.EINVAL, path)


class Entries(Iterator["TrialRecord"]):
    """What `os.scandir` gives."""

    def __init__(self, entries: list[TrialRecord]) -> None:
        self._left = iter(entries)

    def __next__(self) -> TrialRecord:
        return next(self._left)

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        return None


class TrialRecord:
    """A name in a folder."""

    def __init__(self, path: str, name: str, node: Any) -> None:
        self.name, self.path, self._node = name, f"{path}/{name}", node

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return isinstance(self._node, Folder)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return isinstance(self._node, File)

    def stat(self, *, follow_symlinks: bool = True) -> Any:
        return self._node.stat(self._node.size)

    def is_symlink(self) -> bool:
        return False
