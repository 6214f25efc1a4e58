"""Open files: reading, writing, syncing and locking them in a simulated world."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import sys
from collections.abc import Callable
from typing import Any

from tests.simulated.filesystem import File, Folder, refusal
from tests.simulated.machine import Process
from tests.simulated.world import World

FIRST = 1 << 20  # descriptors from here on are simulated


class Descriptor:
    """An open file or folder."""

    def __init__(self, fd: int, node: Any, path: str) -> None:
        self.fd, self.file, self.path, self.position = fd, node, path, 0

    def release(self) -> bool:
        """Let go of the lock, if it is held."""
        held = self.file.holder is self
        if held:
            self.file.holder = None
        return held


class Files:
    """Answers the calls on descriptors; over NFS a machine may see an old size and old bytes."""

    def __init__(self, world: World) -> None:
        self.world, self.fs = world, world.fs
        self.beats: dict[str, list[float]] = {}  # by file: when it was made or its time was set
        self.makers: dict[str, Process] = {}  # of each file
        self.looks: dict[tuple[Process, str], float] = {}  # by process and file: the last `stat`
        self.watch: Callable[[str, bytes], object] = lambda path, data: None  # told of each pwrite
        self._opened = 0
        world.failing.update(
            open=lambda *_: None, create=self._fail_create, flock=lambda *_: None, fsync=self._fail_sync
        )

    def open(self, path: str, flags: int, mode: int = 0o777) -> Any:
        op = "create" if flags & os.O_CREAT else "open"
        return self.world.call(op, path, self._open, path, flags, mode)

    def _open(self, path: str, flags: int, mode: int) -> int:
        world, node = self.world, None
        self.looks[world.process, path] = world.now
        try:
            node = self.fs.find(path)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
        if node is None:
            node = self.fs.make(path, File, mode & 0o755, world.now)
            self.beats[path], self.makers[path] = [world.now], world.process
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise refusal(errno.EEXIST, path)
        if type(node) is Folder and flags & (os.O_WRONLY | os.O_RDWR):
            raise refusal(errno.EISDIR, path)
        self._opened += 1
        fd = FIRST + self._opened
        world.process.descriptors[fd] = Descriptor(fd, node, path)
        if flags & os.O_TRUNC:
            self._write(node, 0, None)
        if world.nfs and type(node) is File:
            kept = world.mutant == "stale" and flags & os.O_RDWR and path.endswith(".jsonl")
            if not kept:
                world.process.machine.contents[node] = (world.now, node.data)
        return fd

    def _fail_create(self, path: str, flags: int, mode: int) -> None:
        if self.world.rng.random() < 0.5:
            self._close(self._at(self._open(path, flags, mode)))

    def close(self, fd: int) -> None:
        if self.world.process.exiting:  # a finalizer comes late; the descriptor goes with the process
            return
        descriptor = self._at(fd)
        self.world.call("close", descriptor.path, self._close, descriptor)

    def _close(self, descriptor: Descriptor) -> None:
        del self.world.process.descriptors[descriptor.fd]
        if descriptor.release():
            self.world.wake(descriptor.file)

    def _at(self, fd: int) -> Any:
        try:
            return self.world.process.descriptors[fd]
        except KeyError:
            raise refusal(errno.EBADF, str(fd)) from None

    def path_of(self, fd: int) -> Any:
        return self._at(fd).path

    def read(self, fd: int, size: int) -> Any:
        descriptor = self._at(fd)
        data = self.world.call("read", descriptor.path, self._pread, descriptor, size, descriptor.position)
        descriptor.position += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> Any:
        descriptor = self._at(fd)
        return self.world.call("pread", descriptor.path, self._pread, descriptor, size, offset)

    def _pread(self, descriptor: Descriptor, size: int, offset: int) -> Any:
        if type(descriptor.file) is Folder:
            raise refusal(errno.EISDIR, descriptor.path)
        return self._seen(descriptor.file)[offset : offset + size]

    def _seen(self, file: File) -> bytes:
        """What this machine sees of a file: over NFS it may be what was there at the last open."""
        world = self.world
        if not world.nfs or world.current is None:
            return file.data
        contents = world.process.machine.contents
        since, data = contents.get(file, (-math.inf, b""))
        if world.now - since >= world.cached:
            contents[file] = (world.now, data := file.data)
        return data

    def write(self, fd: int, data: bytes) -> Any:
        descriptor = self._at(fd)
        offset = descriptor.position
        size = self.world.call("write", descriptor.path, self._pwrite, descriptor, bytes(data), offset)
        descriptor.position += size
        return size

    def pwrite(self, fd: int, data: bytes, offset: int) -> Any:
        descriptor = self._at(fd)
        self.watch(descriptor.path, data)
        return self.world.call("pwrite", descriptor.path, self._pwrite, descriptor, bytes(data), offset)

    def _pwrite(self, descriptor: Descriptor, data: bytes, offset: int) -> int:
        there = self.world.mutant == "noforeign" and descriptor.file.data.startswith(data, offset)
        if not there:
            self._write(descriptor.file, offset, data)
        return len(data)

    def ftruncate(self, fd: int, size: int) -> None:
        descriptor = self._at(fd)
        self.world.call("ftruncate", descriptor.path, self._ftruncate, descriptor, size)

    def _ftruncate(self, descriptor: Descriptor, size: int) -> None:
        self._write(descriptor.file, size, None)

    def _write(self, file: File, offset: int, part: bytes | None) -> None:
        world = self.world
        file.write(offset, part, world.process)
        self._changed(file)
        world.process.machine.contents[file] = (world.now, file.data)

    def _changed(self, node: Any) -> None:
        node.changed = self.world.now
        self.world.process.machine.attributes.pop(node, None)

    def fsync(self, fd: int) -> None:
        descriptor = self._at(fd)
        self.world.call("fsync", descriptor.path, self._fsync, descriptor)

    def _fsync(self, descriptor: Descriptor) -> None:
        node, mutant, me = descriptor.file, self.world.mutant, self.world.process
        if type(node) is Folder:
            skipped = mutant == "nodirsync"
        else:
            foreign = mutant == "noforeign" and all(writer is not me for _, _, writer in node.pending)
            skipped = mutant == "nosync" or foreign
        if not skipped:
            node.sync()

    def _fail_sync(self, descriptor: Descriptor) -> None:
        descriptor.file.fail_sync(self.world.rng)

    def flock(self, fd: int, how: int) -> None:
        world, descriptor = self.world, self._at(fd)
        while not world.call("flock", descriptor.path, self._flock, descriptor, how):
            if how & fcntl.LOCK_NB:
                raise BlockingIOError(errno.EWOULDBLOCK, "somebody else holds it")
            world.wait(math.inf, descriptor.file)

    def _flock(self, descriptor: Descriptor, how: int) -> bool:
        if how & fcntl.LOCK_UN:
            if descriptor.release():
                self.world.wake(descriptor.file)
            return True
        if descriptor.file.holder in (None, descriptor) or self.world.mutant == "nolock":
            descriptor.file.holder = descriptor
        return descriptor.file.holder is descriptor

    def whole(self, path: str) -> Any:
        """All bytes of a file."""
        fd = self.open(path, os.O_RDONLY)
        try:
            return self.read(fd, sys.maxsize)
        finally:
            self.close(fd)

    def fstat(self, fd: int) -> Any:
        descriptor = self._at(fd)
        return self.world.call("fstat", descriptor.path, self._fstat, descriptor.file)

    def _fstat(self, node: Any) -> Any:
        return node.stat(len(self._seen(node)) if type(node) is File else 0)
