"""Leaving politely: exit and SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from hoptim import _signals
from tests.builders import ROOT, records, study


@pytest.fixture
def our_handler():
    """SIGTERM goes to hoptim for the length of a test."""
    before = signal.getsignal(signal.SIGTERM)
    theirs = _signals._theirs.pop(signal.SIGTERM, None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)
    _signals._theirs.pop(signal.SIGTERM, None)
    if theirs is not None:
        _signals._theirs[signal.SIGTERM] = theirs


def terminate():
    """Ask this very process to stop."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_unwinds_the_loop_and_releases(tmp_path, our_handler):
    """SIGTERM ends a training loop by SystemExit(143), and its trial is handed back."""
    with pytest.raises(SystemExit) as caught:
        for _ in study(tmp_path / "s"):
            terminate()
    assert caught.value.code == 143
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "release"]


def test_sigterm_in_a_store_operation_waits_for_its_end(tmp_path, our_handler, monkeypatch):
    """A signal in the middle of a tell does not lose it: the record is whole, then the loop unwinds."""
    real = os.fsync
    told = []

    def sync(fd):
        real(fd)
        if told:
            told.clear()
            terminate()

    with pytest.raises(SystemExit):
        for trial in study(tmp_path / "s"):
            monkeypatch.setattr(os, "fsync", sync)
            told.append(trial)
            trial.tell(1.0)
    ops = [r["op"] for r in records(tmp_path / "s")]
    assert ops[:3] == ["create", "ask", "tell"]
    assert ops[3:] == ["ask", "release"]


def test_the_users_own_handler_is_called_and_decides(tmp_path, our_handler):
    """Where the user handles SIGTERM, hoptim calls that and ends nothing."""
    seen = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    for trial in study(tmp_path / "s", size=1, steps=2):
        terminate()
        trial.tell(1.0)
    assert seen == [signal.SIGTERM, signal.SIGTERM]


def test_ignored_sigterm_stays_ignored(tmp_path, our_handler):
    """A process that ignores SIGTERM goes on doing so."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    trial = study(tmp_path / "s").ask()
    terminate()
    trial.tell(1.0)


def test_a_normal_exit_releases_what_is_held(tmp_path):
    """A script that ends with trials in hand hands them back and takes its sign of life away."""
    script = "from tests.builders import study; import sys; t = [study(sys.argv[1]).ask() for _ in 'ab']"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script, tmp_path / "s"], check=True, env=environment, timeout=60)
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "ask", "release", "release"]
    assert list((tmp_path / "s" / "workers").iterdir()) == []
