"""Puts a simulated system in the place of the real one, for the library and for all that it calls."""

from __future__ import annotations

import builtins
import codecs
import fcntl
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hoptim
from hoptim import _signals
from hoptim.session import last_told
from hoptim.store import hot_state, process_identity, shutdown, snapshot
from hoptim.store.locking import lock
from tests.simulated.descriptors import FIRST
from tests.simulated.scheduler import ROOT, Killed
from tests.simulated.system import System
from tests.simulated.threads import only_here, threads
from tests.simulated.world import World

Call = Callable[..., Any]

BY_PATH = (
    "open", "stat", "lstat", "unlink", "remove", "rmdir", "mkdir", "listdir", "scandir", "utime",
    "readlink",
)  # fmt: skip
BY_PATHS = ("link", "rename", "replace")
BY_DESCRIPTOR = ("close", "read", "pread", "write", "pwrite", "ftruncate", "fsync", "fstat", "fchmod")
OURS = (ROOT, "/proc/self/ns/")
LATE = ("csv", "filelock", "hashlib", "numpy.random", "shutil", "tempfile")  # imported where they are used
UNUSED = {
    "__main__",
    "benchmarks",
    "cli",
    "dashboard",
    "launch",
    "plot",
    "report",
    "testing",
    "torch",
}  # by a schedule
ELSEWHERE = {("store", "postgres"), ("store", "remote")}  # on servers, which are not simulated
SAME = {"lstat": "stat", "remove": "unlink", "replace": "rename"}


def load_dependencies() -> None:
    """Import now whatever a schedule may import late.

    A module that is first imported within a schedule looks at the simulated system, and only there: the
    other schedules of the process would differ from it, and the module would remember what it saw.
    """
    for name in LATE:
        import_module(name)
    for encoding in ("utf-8", "utf-8-sig", "utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"):
        codecs.lookup(encoding)  # json guesses one of them from the first bytes of what is torn
    root = Path(hoptim.__file__).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if parts[0] not in UNUSED and parts[:2] not in ELSEWHERE:
            import_module(".".join(("hoptim", *parts)).removesuffix(".__init__"))


load_dependencies()


@contextmanager
def installed(system: System) -> Iterator[None]:
    """Answer calls of this thread by a simulated system within the block.

    Other threads, which other tests left, go on with the real one: a sleep of theirs would change whose
    turn it is in the world.
    """
    changes = [*_of_os(system), *_of_clock(system), *_of_hoptim(system.world)]
    changes.append((sys, "unraisablehook", _unless_killed(sys.unraisablehook)))
    old = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    for (owner, name, new), (_, _, real) in zip(changes, old, strict=True):
        setattr(owner, name, only_here(new, real) if callable(new) else new)
    try:
        yield
    finally:
        for owner, name, found in old:
            setattr(owner, name, found)


def _unless_killed(report: Call) -> Call:
    """Report what a finalizer raises, but for the end of a process that is killed in one."""

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Killed):
            report(unraisable)

    return hook


def _of_os(system: System) -> Iterator[tuple[Any, str, Any]]:
    for name in BY_PATH:
        yield os, name, _by_path(getattr(os, name), getattr(system, SAME.get(name, name)), system)
    for name in BY_PATHS:
        yield os, name, _by_paths(getattr(os, name), getattr(system, SAME.get(name, name)), system)
    for name in BY_DESCRIPTOR:
        yield os, name, _by_descriptor(getattr(os, name), getattr(system, name))
    yield fcntl, "flock", _by_descriptor(fcntl.flock, system.flock)
    for owner in (io, builtins):
        yield owner, "open", _by_name(open, system)


def _of_clock(system: System) -> Iterator[tuple[Any, str, Any]]:
    world = system.world
    yield time, "time", lambda: world.process.machine.time(world.now)
    yield time, "monotonic", lambda: world.process.machine.monotonic(world.now)
    yield time, "sleep", system.sleep
    yield os, "urandom", world.rng.randbytes
    yield os, "getpid", system.getpid
    yield os, "kill", system.kill
    yield os, "uname", lambda: SimpleNamespace(nodename=world.process.machine.name)


def _of_hoptim(world: World) -> Iterator[tuple[Any, str, Any]]:
    for name, module in list(sys.modules.items()):
        if name.startswith("hoptim.") and getattr(module, "threading", None) is threading:
            yield module, "threading", threads(world)
    yield process_identity, "_hardware_addresses", list
    yield lock, "_registry", Own(world, "registry", lock._registry)
    yield last_told, "_told", Own(world, "told", last_told._told)
    yield snapshot, "EVERY", 2  # such short journals would have none
    yield snapshot, "SHARE", 0
    yield hot_state, "LATEST", 1
    yield shutdown, "release_at_exit", lambda leaver: None  # the simulated scripts leave by themselves
    yield _signals, "defer", lambda number: None
    yield _signals, "_wrap", lambda: None  # the simulated scripts set no handlers of their own
    yield _signals, "_here", Here(world, _signals._here)
    yield _signals, "_unwinding", {signal.SIGTERM}
    yield _signals, "_theirs", {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    world.signal = lambda number: _signals._on_signal(number, None)


class Own(MutableMapping[Any, Any]):
    """A mapping that each process has for itself, as it has its modules; other threads have the real."""

    def __init__(self, world: World, name: str, real: Any) -> None:
        self._find: Callable[[], Any] = only_here(
            lambda: world.process.own.setdefault(name, {}), lambda: real
        )

    def __getitem__(self, key: Any) -> Any:
        return self._find()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._find()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._find()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())


class Here:
    """What the store is doing in each process; other threads have the real object."""

    def __init__(self, world: World, real: Any) -> None:
        def mine() -> Any:
            return world.process.own.setdefault("here", SimpleNamespace(depth=0, waiting=[], wrapped={}))

        object.__setattr__(self, "_find", only_here(mine, lambda: real))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._find(), name, value)


def _by_path(real: Call, simulated: Call, system: System) -> Call:
    def call(path: Any, *args: Any, dir_fd: int | None = None, **more: Any) -> Any:
        text = path if type(path) is str and dir_fd is None else _text(path, dir_fd, system)
        if text.startswith(OURS):
            return simulated(text, *args, **more)
        return real(path, *args, **more) if dir_fd is None else real(path, *args, dir_fd=dir_fd, **more)

    return call


def _by_paths(real: Call, simulated: Call, system: System) -> Call:
    def call(path: Any, new: Any, **more: Any) -> Any:
        text = _text(path, more.get("src_dir_fd"), system)
        if text.startswith(OURS):
            return simulated(text, _text(new, more.get("dst_dir_fd"), system))
        return real(path, new, **more)

    return call


def _text(path: Any, folder: int | None, system: System) -> str:
    """A path as text, empty for a descriptor of the real system."""
    if type(path) is int:
        return system.path_of(path) if path >= FIRST else ""
    text = os.fspath(path)
    if folder is not None and folder >= FIRST:
        return f"{system.path_of(folder)}/{text}"
    return text if type(text) is str else ""


def _by_descriptor(real: Call, simulated: Call) -> Call:
    return lambda fd, *args: (simulated if type(fd) is int and fd >= FIRST else real)(fd, *args)


def _by_name(real: Call, system: System) -> Call:
    def call(path: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        text = _text(path, None, system)
        if text.startswith("/proc/") and system.world.current is not None:
            return io.StringIO(system.proc(text))
        if not text.startswith(ROOT):
            return real(path, mode, *args, **more)
        assert mode in ("r", "rb"), "only reading is simulated"
        data = system.whole(text)
        return io.BytesIO(data) if "b" in mode else io.StringIO(data.decode())

    return call
