"""Weights & Biases: whole runs offline, and online each step once whatever the server has received."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim.loggers import WandbLogger, follow
from hoptim.loggers.follower import Follower
from tests.builders import ROOT, study, wait_until
from tests.test_loggers import finish, logged, made, tell_some

Rows = dict[str, list[dict[str, Any]]]


def wanted(one: hoptim.Study) -> Rows:
    """By run, the rows of one quiet pass: numbers and texts of a step are one row."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for run, step, values, at in logged(one):
        row = found.setdefault(run, {}).setdefault(step, {"_step": step, "_timestamp": at})
        row.update(values)
    return {run: list(rows.values()) for run, rows in found.items()}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    """Nothing of the user's is set, and what a logger sets is undone."""
    for name in {"WANDB_ERROR_REPORTING", *(name for name in os.environ if name.startswith("WANDB_"))}:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


# -- a server, which the real package would need a network for ------------------------------------


class Server:
    """What a server has of each run, and a package that sends to it late and may be killed before."""

    class Error(Exception):
        """The package's own."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.names: dict[str, str] = {}
        self.open: list[FakeRun] = []
        self.key, self.refuses = True, False

    def package(self) -> SimpleNamespace:
        return SimpleNamespace(init=self.init, login=self.login, Settings=SimpleNamespace, Error=self.Error)

    def login(self, prompt, verify):
        assert not prompt
        return self.key

    def init(self, *, id, name, mode, resume, reinit, project, group, **other):
        if self.refuses:
            raise self.Error("no space.")
        assert (mode, resume, reinit, project, group) == ("online", "allow", "create_new", "s", "s")
        assert self.names.setdefault(id, name) == name
        self.open.append(FakeRun(self.rows.setdefault(name, [])))
        return self.open[-1]

    def kill(self, share: float) -> None:
        """End the process when the server has received a share of what it does not have yet."""
        for run in self.open:
            run.send(int(share * len(run.unsent)))
        self.open = []


class FakeRun:
    """A run that drops steps which do not grow, as W&B does, and is sent when it is finished."""

    def __init__(self, received: list[dict[str, Any]]) -> None:
        self.received = received
        self.unsent: list[dict[str, Any]] = []
        self.starting_step = received[-1]["_step"] + 1 if received else 0

    def log(self, row, step, commit):
        assert commit
        known = [*self.received, *self.unsent]
        assert not known or step > known[-1]["_step"], "dropped by W&B"
        self.unsent.append({"_step": step, **row})

    def send(self, count: int) -> None:
        self.received += self.unsent[:count]

    def finish(self):
        self.send(len(self.unsent))
        self.unsent = []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 1.0)), max_size=8))
def test_online_each_step_is_there_once_whatever_was_received(actions):
    """However much of it a kill loses on its way, the server has in the end what one quiet pass gives."""
    folder, server = Path(tempfile.mkdtemp()), Server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", server.package())
        try:
            one = made(folder / "s")
            for count, share in actions:
                with Follower(one, WandbLogger(folder / "log", mode="online")) as follower:
                    tell_some(one, count)
                    follower.look()
                    tell_some(one, count)
                    follower.look()
                server.kill(share)
            finish(one)
            for _ in range(2):
                follow(one, WandbLogger(folder / "log", mode="online"))
                assert server.rows == wanted(one)
        finally:
            shutil.rmtree(folder)


def test_what_cannot_be_logged_is_an_error_in_words(tmp_path, monkeypatch):
    """Another mode, a missing key and a refusal say what to do; nobody is asked for a key."""
    server, one = Server(), made(tmp_path / "s")
    tell_some(one, 2)
    monkeypatch.setitem(sys.modules, "wandb", server.package())
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(hoptim.ArgumentError, match=r"mode of W&B is 'disabled'.*'offline' or 'online'"):
        WandbLogger(tmp_path / "log")
    monkeypatch.setenv("WANDB_MODE", "online")
    server.key = False
    with pytest.raises(hoptim.ArgumentError, match="No key for W&B is configured"):
        follow(one, WandbLogger(tmp_path / "log"))
    server.key, server.refuses = True, True
    with pytest.raises(hoptim.StoreError, match=r"W&B refused: no space\. Nothing is lost"):
        follow(one, WandbLogger(tmp_path / "log"))


# -- the real package, offline ---------------------------------------------------------------------


@pytest.fixture
def wandb(monkeypatch, tmp_path):
    """The package, or the test is skipped; it finds no key of the user's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    package = pytest.importorskip("wandb", reason="needs hoptim[wandb]")
    yield package
    package.teardown()


def records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By run, the records of its only directory, as W&B's own reader prints them."""
    found = {}
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        lines = [json.loads(line) for line in text.splitlines()]
        [begun] = [line["run"] for line in lines if line["type"] == "run"]
        assert begun["display_name"] not in found
        found[begun["display_name"]] = lines
    return found


def stored(read: dict[str, list[dict[str, Any]]]) -> Rows:
    """By run, the rows, of runs that were finished."""
    found: Rows = {}
    for name, lines in read.items():
        assert lines[-1]["type"] == "exit"
        found[name] = [line["history"]["item"] for line in lines if line["type"] == "history"]
        for row in found[name]:
            del row["_runtime"]
    return found


def test_offline_runs_have_what_was_told(tmp_path, wandb):
    """Over several runs of the logger each step is there once, in one run of each member, with no more."""
    one = made(tmp_path / "s")
    for _ in range(2):
        tell_some(one, 4)
        with Follower(one, WandbLogger(tmp_path / "log")) as follower:
            follower.look()
            tell_some(one, 2)
            follower.look()
            follower._logger.end()
    finish(one)
    for _ in range(2):
        follow(one, WandbLogger(tmp_path / "log"))
    read = records(tmp_path / "log")
    assert stored(read) == wanted(one)
    for name, lines in read.items():
        [begun] = [line["run"] for line in lines if line["type"] == "run"]
        assert begun["run_id"] == f"{one.uuid}-{name.replace('/', '-')}"
        assert (begun["project"], begun["run_group"], begun["job_type"]) == ("s", "s", name.split("/")[0])
        assert {line["type"] for line in lines} == {
            "header",
            "run",
            "telemetry",
            "summary",
            "history",
            "exit",
        }


def test_any_name_and_a_project_of_ones_own(tmp_path, wandb, monkeypatch):
    """Names of curves stay as they are; what a project may not be named becomes an underscore."""
    one = study(tmp_path / "a:b%", space={"<b>x": hoptim.Float(0.0, 1.0)}, size=1, steps=1)
    one.ask().tell(0.5, metrics={"|" * 300: 1.0, "a.b": 2.0, "note": "n" * 9000})
    follow(one, WandbLogger(tmp_path / "log"))
    read = records(tmp_path / "log")
    assert stored(read) == wanted(one)
    [begun] = [line["run"] for line in read["member/00"] if line["type"] == "run"]
    assert (begun["project"], begun["run_group"]) == ("a_b_", "a_b_")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    follow(one, WandbLogger(tmp_path / "log"))
    [begun] = [line["run"] for line in records(tmp_path / "log")["member/00"] if line["type"] == "run"]
    assert (begun["project"], begun["run_group"]) == ("mine", "a_b_")


def test_the_command_may_be_killed_and_sends_nothing(tmp_path, wandb):
    """`hoptim log --to wandb`, killed while trials end, leaves nothing out; no server hears of it."""
    pytest.importorskip("click", reason="needs hoptim[cli]")
    one = made(tmp_path / "s", steps=8)
    words = ["-m", "hoptim", "log", str(tmp_path / "s"), "--to", "wandb", "-o", str(tmp_path / "log")]
    proxy = socket.create_server(("127.0.0.1", 0))
    proxy.setblocking(False)
    address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    environment |= dict.fromkeys(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], address)
    file = tmp_path / "log" / "hoptim-place.json"
    for _ in range(2):
        before = file.read_bytes() if file.exists() else b""
        tell_some(one, 4)
        logger = subprocess.Popen([sys.executable, *words, "--every", "0.1"], env=environment)
        wait_until(lambda before=before: file.exists() and file.read_bytes() != before, 120)
        tell_some(one, 4)
        logger.send_signal(signal.SIGKILL)
        logger.wait()
    finish(one)
    ran = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{tmp_path / 'log'}\n", "")
    with proxy, pytest.raises(BlockingIOError):
        proxy.accept()
    assert stored(records(tmp_path / "log")) == wanted(one)
