"""Two users of one group train one study, whatever their umask; needs root to become them."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import hoptim
from tests import reader
from tests.builders import loss, study, wait_until

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="becoming other users takes root"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

GROUP = 23456
USERS = (12345, 12346)


@pytest.fixture(params=[0o2770, 0o770], ids=["setgid", "plain"])
def place(request) -> Iterator[Path]:
    """A folder of the group that others can reach; pytest's own are closed to them."""
    outer = Path(tempfile.mkdtemp(prefix="hoptim-shared-"))
    outer.chmod(0o755)
    folder = outer / "study"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(request.param)
    yield folder
    shutil.rmtree(outer)


@pytest.fixture(params=[0o077, 0o022], ids=["umask 077", "umask 022"])
def umask(request):
    """What the users' shells set."""
    return request.param


def import_what_comes_late() -> None:
    """The users may not be allowed to read what is imported only when it is needed."""
    for name in ("filelock", "hashlib", "shutil", "tempfile"):
        importlib.import_module(name)


def start(
    user: int, folder: Path, umask: int, call: Callable[[], Any], groups: Sequence[int] = (GROUP,)
) -> tuple[int, int]:
    """Let a user do something in a process of its own: its pid, and where its answer comes from."""
    import_what_comes_late()
    answer, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        result: Any = "no answer"
        try:
            inherits = folder.stat().st_mode & stat.S_ISGID
            os.setgroups(groups)
            os.setgid(user if inherits else groups[0])  # without setgid only the first group is shared
            os.setuid(user)
            os.umask(umask)
            result = call()
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        finally:
            os.write(write, json.dumps(result).encode())
            os._exit(0)
    os.close(write)
    return pid, answer


def finish(started: tuple[int, int]) -> Any:
    """What a user's process answers."""
    pid, answer = started
    with os.fdopen(answer, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said or b'"died"')


def as_user(*arguments: Any, **options: Any) -> Any:
    """As `start`, and wait for the answer."""
    return finish(start(*arguments, **options))


def some_trials(folder: Path, count: int) -> Callable[[], Any]:
    """Train some trials; every other checkpoint is a folder. What was acknowledged."""

    def call() -> list[tuple[int, float]]:
        told: list[tuple[int, float]] = []
        mine = study(folder, steps=6)
        while len(told) < count and (trial := mine.ask(timeout=30)) is not None:
            if trial.checkpoint is not None:
                read = Path(trial.checkpoint)
                assert (read / "w" if read.is_dir() else read).read_text() == f"weights of {trial.parent}"
            (trial.scratch / str(os.getuid())).write_text("x")

            def save(path: str, trial: hoptim.Trial = trial) -> None:
                inner = Path(path)
                if trial.number % 2:
                    inner.mkdir()
                    inner = inner / "w"
                inner.write_text(f"weights of {trial.number}")

            trial.tell(loss(trial), save=save)
            told.append((trial.number, loss(trial)))
        mine._session.store.leave()
        return told

    return call


def shared_alike(folder: Path) -> list[str]:
    """What both users could not read and write, by its mode or group."""
    inherits, wrong = folder.stat().st_mode & stat.S_ISGID, []
    for path in [folder, *folder.rglob("*")]:
        status = path.stat()
        needed = 0o070 | inherits if path.is_dir() else 0o060
        if status.st_gid != GROUP or status.st_mode & needed != needed:
            wrong.append(f"{path.relative_to(folder)}: group {status.st_gid}, mode {status.st_mode:o}")
    return wrong


def judge(folder: Path, told: list[Any]) -> None:
    """The study is done, each told value is there, and its files are for both."""
    assert hoptim.load(folder).done
    wrong, places = reader.judge(folder / "journal.jsonl", [tuple(each) for each in told])
    assert (wrong, len(places)) == ([], 24)
    assert shared_alike(folder) == []


def test_two_users_take_turns(place, umask):
    """One makes the study, the other goes on, in turns: checkpoints and drops of the other's work."""
    told: list[Any] = []
    for turn in range(8):
        answer = as_user(USERS[turn % 2], place, umask, some_trials(place, 3))
        assert isinstance(answer, list), answer
        told += answer
        assert shared_alike(place) == []
    judge(place, told)
    kept = {Path(t.checkpoint).name for t in hoptim.load(place).trials if t.checkpoint}
    assert {path.name for path in (place / "checkpoints").iterdir()} == kept
    assert list((place / "scratch").iterdir()) == []
    assert list((place / "workers").iterdir()) == []


def test_two_users_train_at_once(place, umask):
    """Both create and train the study at the same time."""
    started = [start(user, place, umask, some_trials(place, 24)) for user in USERS]
    answers = [finish(each) for each in started]
    assert all(isinstance(answer, list) for answer in answers), answers
    judge(place, [each for answer in answers for each in answer])


def test_the_trial_of_a_killed_user_is_taken_over(place, umask):
    """What one user's killed process left, the other takes back and cleans up."""

    def hold() -> None:
        trial = study(place, steps=6).ask()
        assert trial is not None
        (trial.scratch / str(os.getuid())).write_text("x")
        trial.draft.write_text("half")
        signal.pause()

    pid, answer = start(USERS[0], place, umask, hold)
    wait_until(lambda: any(place.glob("checkpoints/.draft-*")))
    os.kill(pid, signal.SIGKILL)
    assert finish((pid, answer)) == "died"
    told = as_user(USERS[1], place, umask, some_trials(place, 24))
    assert isinstance(told, list), told
    judge(place, told)
    assert hoptim.load(place).trials[0].interruptions == 1
    assert not list(place.glob("checkpoints/.draft-*"))


def test_a_user_without_the_group_is_told_so(place, umask):
    """Somebody else gets an error that names the path and the cause."""
    assert len(as_user(USERS[0], place, umask, some_trials(place, 3))) == 3
    said = as_user(34567, place, umask, some_trials(place, 1), groups=[34567])
    assert said.startswith("StoreError"), said
    assert str(place) in said
    assert "Permission denied" in said


def saving_read_only(folder: Path) -> Callable[[], Any]:
    """Train a study to its end whose checkpoints have folders that nobody may write to."""

    def save(path: str) -> None:
        inner = Path(path) / "a" / "b"
        inner.mkdir(parents=True)
        (inner / "w").write_text("weights")
        for each in (inner, inner.parent, Path(path)):
            each.chmod(0o555)

    def call() -> int:
        mine = study(folder, steps=3)
        for trial in mine:
            inner = trial.scratch / "read-only"
            inner.mkdir()
            (inner / "half").write_text("x")
            inner.chmod(0o555)
            trial.tell(loss(trial), save=save)
        return mine.status().unremoved

    return call


def test_read_only_folders_are_removed(place, umask):
    """What an ordinary user saved without write permission goes as everything else does, scratch too."""
    assert as_user(USERS[0], place, umask, saving_read_only(place)) == 0
    found = hoptim.load(place)
    kept = {Path(t.checkpoint).name for t in found.trials if t.checkpoint}
    assert found.done
    assert {path.name for path in (place / "checkpoints").iterdir()} == kept
    assert list((place / "scratch").iterdir()) == []


def test_what_another_user_keeps_closed_is_counted(place, umask):
    """Trash that its owner closed to the group stays: the log and `check` say so, `status` counts it."""
    trash = place / "checkpoints" / ".trash-0.1-0123abcd"

    def call() -> list[Any]:
        mine, records = study(place, steps=6), list[str]()
        handler = logging.Handler()
        handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("hoptim").addHandler(handler)
        assert mine.ask() is not None
        found = mine.status()
        return [records, found.unremoved, found.warnings, str(mine.check())]

    assert len(as_user(USERS[0], place, umask, some_trials(place, 3))) == 3
    trash.mkdir(mode=0o700)
    (trash / "w").write_text("weights")
    logged, count, warnings, report = as_user(USERS[1], place, umask, call)
    assert [line for line in logged if str(trash) in line and "Permission denied" in line]
    assert count == 1
    assert [line for line in warnings if line.startswith("1 dropped checkpoint not removed yet")]
    assert "removes it, unless it belongs to another user" in report
