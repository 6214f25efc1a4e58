"""Signs of life, huge files and planted code: bounded, and nothing in the directory is executed."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import pytest

from hoptim.store.process_identity import ProcessIdentity
from tests.builders import study, train, wait_until
from tests.hostile import PICKLE, alone, exercise, forge, outcome, settings_of, within

TERA = 1 << 40


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


def worker_file(**changes: object) -> bytes:
    """A sign of life of a worker on another host, with changes."""
    good = {"host": "elsewhere", "pid": 1, "start": "1", "boot": "b", "space": "s", "lease": 1}
    return json.dumps(good | changes).encode()


ODD: list[Any] = [None, [], {}, -1, True, 10**30, float("nan"), float("inf"), "\0", "../../x", "9" * 3000]
SIGNS = [
    b"[" * 4096,
    b"9" * 4096,
    b"null",
    b"[]",
    b"",
    b"\xff",
    b"{}",
    worker_file(more=1),
    worker_file(),
] + [
    worker_file(**{field: value})
    for field in ("host", "pid", "start", "boot", "space", "lease")
    for value in ODD
]


def test_no_sign_of_life_can_hurt(tmp_path, folder):
    """Whatever stands in a worker's file, it is a sign of life or none, and never an error."""
    held = study(folder).ask()
    (sign,) = (folder / "workers").iterdir()
    for i, content in enumerate(SIGNS):
        copy = shutil.copytree(folder, tmp_path / str(i))
        (copy / "workers" / sign.name).write_bytes(content)
        assert outcome(copy) == "fine", content[:50]
    assert held is not None


def test_a_sign_of_life_cannot_keep_its_trial_for_ever(folder):
    """A lease that is no number of seconds counts as none, so a worker that is gone is found dead."""
    held = study(folder).ask()
    (sign,) = (folder / "workers").iterdir()
    for lease in (float("nan"), float("inf"), "x", None, -1):
        sign.write_bytes(worker_file(lease=lease))
        watch = study(folder, lease=0.2)._session.store.watch
        wait_until(lambda watch=watch: watch.is_dead(sign.name))
    assert held is not None


def test_a_pid_that_is_a_path_is_not_opened(tmp_path, folder):
    """A process number of text with `..` in it leads nowhere, least of all to a pipe."""
    train(study(folder, steps=1))
    (tmp_path / "trap").mkdir()
    os.mkfifo(tmp_path / "trap" / "stat")
    me = ProcessIdentity.mine()._asdict()
    (folder / "workers" / "w.1.a").write_bytes(
        json.dumps(me | {"pid": f"..{tmp_path}/trap", "lease": 1}).encode()
    )
    with within(5):
        exercise(folder)


@pytest.mark.parametrize("name", ["journal.jsonl", "study.json"])
@pytest.mark.parametrize("size", [2 << 30, TERA])
def test_huge_files_are_refused_without_being_read(folder, name, size):
    """A sparse file of gigabytes in a file's place is refused at once, in little memory."""
    train(study(folder, steps=1))
    os.truncate(folder / name, size)
    said = alone("open", folder, memory=1 << 30, seconds=20)
    assert said.startswith(("StudyDamaged", "StoreError")), said
    assert name in said
    assert (folder / name).stat().st_size == size


def test_huge_files_beside_are_not_read(folder):
    """The name of a lock's holder and a sign of life are read up to a limit."""
    mine = study(folder)
    assert mine.ask() is not None
    for path in [folder / "queue", *(folder / "workers").iterdir()]:
        os.truncate(path, TERA)
    with mine._session.store.journal.hold(None):
        assert alone("wait", folder, memory=1 << 30).startswith("LockTimeout")
    assert alone("open", folder, memory=1 << 30) == "fine"


def test_nothing_in_a_directory_is_executed(folder):
    """Opening, reading, asking, telling: no code is run or imported, nothing outside is written."""
    names = {"__import__('os').system('true')": ["os.system"], "__reduce__": ["os.system", ["true"]]}
    content = settings_of(folder) | names
    forge(folder, json.dumps(content).encode(), content["uuid"])
    for name in ("sitecustomize", "usercustomize", "numpy", "shutil", "hashlib", "filelock", "json", "os"):
        (folder / f"{name}.py").write_text("raise SystemExit('executed')")
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "checkpoints" / f"{name}.py").write_text("raise SystemExit('executed')")
    (folder / "workers" / "w.1.a").write_bytes(PICKLE)
    (folder / "snapshot.json").write_bytes(PICKLE)
    assert json.loads(alone("audit", folder)) == {"result": "fine", "heard": []}
    for settings_ in (PICKLE, json.dumps(content | {"identity": names}).encode()):
        forge(folder, settings_)
        found = json.loads(alone("audit", folder))
        assert (found["result"][:12], found["heard"]) == ("StudyDamaged", [])
