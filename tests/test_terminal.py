r"""Text of unknown origin at each door to a terminal: errors, the log, plots, exports, words for a shell.

`STEER` sets a window's title, clears the screen, goes back to the line's begin, and turns text around.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import pytest

import hoptim
from hoptim._text import printable
from hoptim.store.check.cross_process import Verdict
from hoptim.store.liveness import display_name
from hoptim.store.locking import lock as locking
from hoptim.store.locking.lock import StudyLock
from tests.builders import ROOT, run, study

STEER = "\x1b]0;x\x07\x1b[2J\r\u202eabc\u2066\x9b31m"
UNSAFE = re.compile(r"[^\n -~\xa1-\xac\xae-\u02ff]")  # neither a line break, nor ASCII, nor a Latin letter
PUBLIC = [getattr(hoptim, name) for name in hoptim.__all__]
ERRORS = [each for each in PUBLIC if isinstance(each, type) and issubclass(each, Exception)]


def hostile(path: Path | None) -> hoptim.Study:
    """A study whose names, values, metrics and failures would steer a terminal."""
    space = {f"{STEER}x": hoptim.Float(0.0, 1.0), "y": hoptim.Choice([f"{STEER}a", f"{STEER}b"])}
    made = study(path, space=space, steps=2)
    for trial in made:
        if trial.number == 3:
            trial.fail(STEER, retry=False)
        else:
            trial.tell(trial.number, metrics={f"{STEER}m": 1.0})
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The directory of a hostile study."""
    path = tmp_path_factory.mktemp("terminal") / "study"
    hostile(path)
    return path


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_no_error_steers_a_terminal(kind):
    """Whatever a message quotes, an error's text and its traceback are safe, and keep their lines."""
    text = f"one\n{STEER}two"
    error = kind(28, text) if issubclass(kind, hoptim.StoreError) else kind(text)
    assert UNSAFE.search("".join(traceback.format_exception(error))) is None
    assert str(error).endswith(f"one\n{printable(STEER)}two")
    assert STEER in error.args[-1]


def test_no_message_of_the_log_steers_a_terminal(caplog):
    """Text in an argument of a message is escaped before any handler sees the record."""
    logging.getLogger("hoptim").warning("%s in trial %d", STEER, 7)
    assert caplog.messages == [f"{printable(STEER)} in trial 7"]


@pytest.mark.parametrize("planted", [STEER, f"host\n{STEER}CRITICAL a line of its own"])
def test_a_note_of_the_locks_holder_steers_no_terminal(tmp_path, planted, caplog, monkeypatch):
    """Text that others write into `queue` reaches log and errors on one line and escaped."""
    study(tmp_path)
    held = run("hold.py", tmp_path)
    try:
        assert held.stdout.readline() == "held\n"
        (tmp_path / "queue").write_text(f"1700000000 {planted}\n")
        monkeypatch.setattr(locking, "_LOG_EVERY", 0.01)
        with pytest.raises(hoptim.LockTimeout) as error:
            StudyLock.of(tmp_path, single_host=True).acquire(0.05)
    finally:
        held.kill()
        held.communicate()
    assert printable(planted) in str(error.value)
    assert printable(planted) in caplog.messages[0]
    for text in (str(error.value), *caplog.messages):
        assert UNSAFE.search(text) is None
        assert "\n" not in text


def test_names_of_workers_and_verdicts_steer_no_terminal():
    """Host names come from file names in `workers/` and from other machines."""
    assert UNSAFE.search(display_name(f"{STEER}\n.12.abc")) is None
    assert UNSAFE.search(str(Verdict(True, f"Two hosts: {STEER}."))) is None


def test_names_reach_no_terminal_through_a_plot(tmp_path):
    """Names that no font has are drawn without a warning, in which matplotlib would quote them."""
    plot = pytest.importorskip("hoptim.plot", reason="pictures need the extra 'plot'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot.save(plot.overview(hostile(None)), tmp_path / "run.png")


def on_a_terminal(*words: object) -> str:
    """What a command prints when its standard output is a terminal."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-W", "error", "-m", "hoptim", *map(str, words)]
    ran = subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    screen = b""
    try:
        while part := os.read(ours, 1 << 16):
            screen += part
    except OSError:  # on Linux the end of a terminal is an error
        pass
    os.close(ours)
    assert ran.wait(60) == 0
    return screen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words", [["export"], ["schedule", "--csv"], ["ask", "--shell"]], ids=" ".join)
def test_exact_text_is_exact_in_a_pipe_and_safe_on_a_terminal(folder, tmp_path, words):
    """A terminal is shown escapes; a pipe, as a shell's `$(...)`, is given the text as it is."""
    pytest.importorskip("click", reason="the command line needs the extra 'cli'")
    if words[0] == "ask":
        folder = tmp_path
        study(folder, space={"y": hoptim.Choice([STEER])})
    command = [sys.executable, "-m", "hoptim", *words, str(folder)]
    piped = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert STEER in piped
    shown = on_a_terminal(*words, folder)
    assert UNSAFE.search(shown) is None
    assert printable(STEER) in shown


def test_wrong_words_on_the_command_line_steer_no_terminal(capsys):
    """What a script passes on from elsewhere is quoted in an error, and escaped."""
    pytest.importorskip("click", reason="the command line needs the extra 'cli'")
    from hoptim.__main__ import main

    assert main([STEER]) == 2
    assert main(["status", f"--{STEER}"]) == 2
    assert main(["status", STEER]) == 2
    assert UNSAFE.search(capsys.readouterr().err) is None
