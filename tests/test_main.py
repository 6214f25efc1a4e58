"""`check` and `check-dir`: what they print, and their exit status."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("click", reason="the command line needs the extra 'cli'")
pytest.importorskip("rich", reason="the command line needs the extra 'cli'")

from hoptim import __main__ as command
from hoptim.errors import LockTimeout
from hoptim.store.check import directory, repair
from hoptim.store.check.cross_process import Verdict
from tests.builders import ROOT, study, train


@pytest.fixture
def folder(tmp_path):
    """A study that is done."""
    train(study(tmp_path / "study"))
    return tmp_path / "study"


def test_a_clean_study_is_status_0(folder, capsys):
    """Nothing wrong: one line, status 0."""
    assert command.main(["check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "no errors, no leftovers, no notes" in out


def test_leftovers_alone_are_status_0(folder, capsys):
    """A torn tail is said, with what a repair would do, and is no error; the repair says what it did."""
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert command.main(["check", str(folder)]) == 0
    assert "A repair would have it cut off and kept aside." in capsys.readouterr().out
    assert command.main(["check", str(folder), "--repair"]) == 0
    out = capsys.readouterr().out
    assert "repaired torn-tail: journal.jsonl was cut off and kept aside." in out
    assert "What was there before is in before-repair-" in out


def test_errors_are_status_1(folder, capsys):
    """What is damaged is listed with line and byte, as text and as JSON, before and after a repair."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"?\n", *lines[5:]]))
    assert command.main(["check", str(folder)]) == 1
    byte = sum(map(len, lines[:4]))
    assert f"error damaged-line: journal.jsonl, line 5, byte {byte}" in capsys.readouterr().out
    assert command.main(["check", str(folder), "--repair", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["findings"][0]["where"]) == (False, {"line": 5, "byte": byte})


def test_no_study_is_status_2(tmp_path, capsys):
    """Where no study is, that is one line on stderr."""
    assert command.main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"hoptim: There is no study in {str(tmp_path)!r}.\n"


def test_a_lock_that_stays_taken_is_status_1(folder, capsys, monkeypatch):
    """An error of hoptim's own is one line, without a traceback."""

    def stays(*_: object, **__: object) -> None:
        raise LockTimeout("It is held.")

    monkeypatch.setattr(repair, "repair", stays)
    assert command.main(["check", str(folder), "--repair"]) == 1
    assert capsys.readouterr().err == "hoptim: It is held.\n"


@pytest.mark.parametrize("ok", [True, False])
def test_a_directory_is_fit_or_not(tmp_path, capsys, monkeypatch, ok):
    """Verdicts are printed as they come, then the sum of them, which is the status."""
    seen = []

    def examined(folder, machines, seconds):
        seen.append((folder, machines, seconds))
        yield from (Verdict(True, "One."), Verdict(ok, "Two."), Verdict(True, "Three."))

    monkeypatch.setattr(directory, "examine", examined)
    assert command.main(["check-dir", str(tmp_path), "--machines", "3", "--minutes", "2"]) == (not ok)
    assert seen == [(tmp_path, 3, 120.0)]
    assert capsys.readouterr().out.splitlines() == [
        "ok  One.", "ok  Two." if ok else "BAD Two.", "ok  Three.",
        f"The directory is {'fit' if ok else 'NOT fit'} for a study.",
    ]  # fmt: skip


def test_the_verdicts_as_json(tmp_path, capsys, monkeypatch):
    """With --json the verdicts come as one object."""
    monkeypatch.setattr(directory, "examine", lambda *_: (Verdict(ok, "Word.") for ok in (True, False)))
    assert command.main(["check-dir", str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "ok": False,
        "verdicts": [{"ok": True, "what": "Word."}, {"ok": False, "what": "Word."}],
    }


@pytest.mark.parametrize(
    "arguments", [["dance"], ["check"], ["check", "a", "b"], ["check-dir", ".", "--machines", "x"]]
)
def test_wrong_usage_is_status_2(arguments):
    """What click refuses ends with its status 2."""
    assert command.main(arguments) == 2


def test_it_runs_as_a_module(folder):
    """`python -m hoptim check` works in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "hoptim", "check", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
