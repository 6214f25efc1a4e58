"""What tests of hostile directories share, and what they run in a process of its own: ACTION DIR."""

# ruff: noqa: T201 - prints what came of it

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import hoptim
from hoptim.store import line_format
from tests.builders import ROOT, saving, study

GIB = 1 << 30
PICKLE = b"\x80\x04\x95\x1c\x00\x00\x00cos\nsystem\n(S'false'\ntR."


class Hangs(BaseException):
    """A call that should have returned long ago; no `except Exception` swallows it."""


@contextmanager
def within(seconds: float, memory: int = GIB) -> Iterator[None]:
    """Interrupt what takes longer, even in a system call that blocks, and refuse it more memory."""

    def ring(*_: object) -> None:
        raise Hangs(f"still busy after {seconds} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if limits[1] != resource.RLIM_INFINITY:
        memory = min(memory, limits[1] - used)
    before = signal.signal(signal.SIGALRM, ring)
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)


def settings_of(folder: Path, **changes: Any) -> dict[str, Any]:
    """The settings of a fresh small study that is left in a folder, with changes of its identity."""
    study(folder)
    content: dict[str, Any] = json.loads((folder / "study.json").read_bytes())
    content["identity"].update(changes)
    return content


def forge(folder: Path, settings: bytes, uuid: str = "0" * 32) -> None:
    """Make a directory whose settings and journal belong together, whatever the settings say."""
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_bytes(settings)
    digest = hashlib.sha256(settings).hexdigest()
    first = {"n": 0, "id": "0" * 12, "op": "create", "format": 1, "uuid": uuid, "study": digest}
    (folder / "journal.jsonl").write_bytes(line_format.encode(first, line_format.start(uuid)))


def append_raw(folder: Path, payload: bytes) -> None:
    """Forge a line with a valid checksum around any bytes."""
    journal = folder / "journal.jsonl"
    data = journal.read_bytes()
    digits = line_format.digits(data.splitlines()[-1][:8], payload)
    journal.write_bytes(data + digits + b" " + payload + b"\n")


def exercise(folder: Path, **options: Any) -> None:
    """Read all that a study shows, ask, tell and check; only a `HoptimError` may come of it."""
    found = hoptim.load(folder, **options)
    look_at(found)
    trial = found.ask(timeout=0)
    if trial is not None:
        trial.check(**trial.params)
        _ = trial.scratch
        trial.tell(0.5, save=saving("weights"))
    look_at(found)
    found._session.store.leave()


def look_at(found: hoptim.Study) -> None:
    """Read all that a study shows, and see that it is consistent."""
    assert found.steps >= 1
    assert isinstance(found.done, bool)
    for trial in found.trials:
        assert 0 <= trial.member < found.size
        assert trial.params.keys() == found.space.dimensions.keys()
        assert len(trial.x) == len(found.space)
        assert all(0 <= u < float("inf") for u in trial.x)
        assert isinstance(trial.value, float)
        json.dumps(trial.metrics)  # numbers, and since format 2 any JSON
        assert isinstance(trial.asked, int | float)
        assert isinstance(trial.ended, int | float)
        assert trial.failed is None or isinstance(trial.failed, str)
        repr(trial)
    with suppress(hoptim.NoResult):
        assert found.best.finite
        assert found.best_ever.finite


def outcome(folder: Path, **options: Any) -> str:
    """What comes of `exercise`: 'fine', or the name and message of a `HoptimError`."""
    try:
        with within(20):
            exercise(folder, **options)
    except (hoptim.HoptimError, Hangs) as error:
        return f"{type(error).__name__}: {error}"
    return "fine"


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    """All that is in a folder: kinds, modes, sizes, times and bytes."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_mode, status.st_ino, status.st_mtime_ns, content)
    return found


def alone(action: str, folder: Path, memory: int = 2 * GIB, seconds: float = 60) -> str:
    """What an action of this script prints, in a process with bounded memory and time."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.hostile", action, str(folder), str(memory)],
        capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return ran.stdout.strip() if ran.returncode == 0 else f"exit {ran.returncode}: {ran.stderr[-2000:]}"


def wait_for_lock(folder: Path) -> str:
    """What a process hears that waits for a lock in vain."""
    try:
        study(folder, lock_timeout=0.1).ask()
    except hoptim.HoptimError as error:
        return f"{type(error).__name__}: {error}"
    return "fine"


# -- nothing is executed, nothing is touched outside -----------------------------------------------

_EXECUTES = {
    "exec", "compile", "import", "marshal.loads", "marshal.load", "pickle.find_class", "os.system",
    "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "ctypes.dlopen", "code.__new__",
    "function.__new__", "socket.connect", "socket.bind", "os.symlink", "os.chown", "shutil.unpack_archive",
}  # fmt: skip
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.truncate",
    "os.chmod",
    "os.utime",
}


def audited(folder: Path) -> str:
    """Use a good study so that all is imported, then the hostile one while a hook listens."""
    warm = folder.parent / "warm"
    study(warm)
    assert outcome(warm) == "fine"
    gc.collect()  # the good study's worker file goes now, and not while the hook listens
    heard: list[str] = []

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if listening:
            heard.extend(_objections(folder, event, arguments))

    listening = True
    sys.addaudithook(listen)
    result = outcome(folder)
    listening = False
    return json.dumps({"result": result, "heard": heard})


def _objections(folder: Path, event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    if event in _EXECUTES:
        yield f"{event} {arguments!r:.200}"
    if event in _CHANGES:
        paths = [
            _absolute(each, arguments) for each in arguments if isinstance(each, str | bytes | os.PathLike)
        ]
    elif (
        event == "open"
        and isinstance(arguments[2], int)
        and arguments[2] & (os.O_RDWR | os.O_WRONLY | os.O_CREAT)
    ):
        paths = [arguments[0]]
    else:
        paths = []
    for path in paths:
        if not os.path.realpath(os.fsdecode(path)).startswith(f"{folder}/"):
            yield f"{event} {arguments!r:.200}"


def _absolute(path: Any, arguments: tuple[Any, ...]) -> str:
    """A path of an event; its last argument is the folder's descriptor, -1 for none."""
    if isinstance(arguments[-1], int) and arguments[-1] >= 0:
        return os.path.join(os.readlink(f"/proc/self/fd/{arguments[-1]}"), os.fsdecode(path))
    return os.fsdecode(path)


_ACTIONS: Mapping[str, Callable[[Path], str]] = {
    "open": outcome, "wait": wait_for_lock, "audit": audited,
}  # fmt: skip


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
    print(_ACTIONS[sys.argv[1]](Path(sys.argv[2])))
