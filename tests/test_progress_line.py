"""`progress=True`: one line on a terminal, for as many processes as there are, and never in the way."""

from __future__ import annotations

import io
import logging
import os
import pickle
import subprocess
import sys
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import hoptim
from hoptim.analysis.headline import headline
from hoptim.session import progress_line
from tests import launched
from tests.builders import ROOT, loss, study, train
from tests.terminal import Terminal, drawn, screen

RUN = """
import sys
from pathlib import Path
from tests import launched
import hoptim
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    launched.made(folder)
    hoptim.run(launched.train, hoptim.load(folder / "study", progress=True), workers=2)
"""


@pytest.fixture
def terminal(monkeypatch):
    """Standard error is a terminal, and each look is drawn."""
    made = Terminal()
    put(made.stream, monkeypatch)
    monkeypatch.setattr(progress_line, "_EVERY", 0.0)
    yield made
    made.text()


def put(stream: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream be standard error for the line, whatever pytest captures."""
    monkeypatch.setattr(progress_line, "sys", SimpleNamespace(stderr=stream))


def test_a_loop_shows_one_line(terminal):
    """Each trial draws the line over the last, as does the end; the last one stays, and breaks the line."""
    made = train(study(None, progress=True))
    text = terminal.text()
    assert text.startswith("\r")
    assert text.count("\n") == 1
    assert text.endswith("\r\n")
    lines = drawn(text)
    assert len(lines) == 20 + 2
    assert lines[0] == "0 of 20 trials, 0 %, no result yet, 1 under way"
    assert lines[-1] == f"20 of 20 trials, 100 %, best {made.best.value:.6g}, all done, 0 under way"
    assert max(map(len, lines)) < 80
    assert any("left" in line for line in lines)


def test_it_says_what_a_status_says(terminal):
    """A loop, a look and a notebook tell the progress in the same words."""
    made = train(study(None, progress=True))
    seen = made.status()
    last = drawn(terminal.text())[-1]
    assert last == headline(seen, seen.best) == headline(made.results(), made.best)
    for shown in (seen._repr_html_(), made._repr_html_()):
        assert last.split(", best")[0] in shown


def test_a_line_that_is_shorter_leaves_nothing_of_the_one_before(terminal):
    """What a longer line left behind is blanked out."""
    made = study(None, progress=True)
    for trial in made:
        trial.tell(1 / 3 if trial.step < 3 else 0.0)
    assert screen(terminal.text()) == "20 of 20 trials, 100 %, best 0, all done, 0 under way\n"


def test_a_study_that_was_done_before_says_so(terminal, tmp_path):
    """A script that is started again and has nothing left to do is not silent."""
    train(study(tmp_path))
    train(study(tmp_path, progress=True))
    assert "all done, 0 under way\n" in screen(terminal.text())


def test_a_narrow_terminal_gets_whole_words(terminal, monkeypatch):
    """What does not fit is left out from the end, and no phrase is cut in two."""
    monkeypatch.setattr(progress_line.os, "get_terminal_size", lambda _: os.terminal_size((60, 24)))
    train(study(None, progress=True))
    lines = drawn(terminal.text())
    assert max(map(len, lines)) < 60
    assert {line.split()[-1] for line in lines} <= {"left", "minute", "hour", "done", "way"}


def test_at_most_four_a_second(terminal, monkeypatch):
    """Quick trials do not wait for a terminal: the line is drawn when it begins, and at the end."""
    monkeypatch.setattr(progress_line, "_EVERY", 1e6)
    train(study(None, progress=True))
    assert [line.split(",")[0] for line in drawn(terminal.text())] == ["0 of 20 trials", "20 of 20 trials"]


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_nothing_is_shown_where_there_is_no_terminal(stream, monkeypatch):
    """A pipe, a notebook, or no standard error at all: nothing is written, nothing fails."""
    put(stream, monkeypatch)
    assert train(study(None, progress=True)).done
    assert stream is None or stream.getvalue() == ""


def test_nothing_is_shown_unless_asked_for(terminal):
    """The library prints nothing by itself."""
    train(study(None))
    assert terminal.text() == ""


@pytest.mark.parametrize("broken", ["isatty", "write", "flush", "fileno"])
def test_a_broken_terminal_ends_the_line_and_not_the_training(broken, terminal, monkeypatch):
    """Whatever a stream raises, the study goes on, and the stream is left alone from then on."""
    calls = []

    class Broken:
        def __getattr__(self, name):
            calls.append(name)
            return self.fail if name == broken else getattr(terminal.stream, name)

        def fail(self, *args):
            raise RuntimeError("the terminal is gone")

    put(Broken(), monkeypatch)
    assert train(study(None, progress=True)).done
    assert calls.count(broken) == 1


def test_an_error_begins_below_the_line(terminal):
    """When the loop is left by an error, the line is ended first."""
    with pytest.raises(ZeroDivisionError):
        for _ in study(None, progress=True):
            raise ZeroDivisionError
    assert terminal.text().endswith("\r\n")


def test_a_message_of_the_log_begins_below_the_line(terminal):
    """The log goes to the same terminal: its messages have lines of their own."""
    handler = logging.StreamHandler(terminal.stream)
    log = logging.getLogger("hoptim")
    filters = list(log.filters)
    log.addHandler(handler)
    try:
        made = study(None, progress=True)
        for trial in made:
            trial.tell(loss(trial))
            if trial.number == 5:
                made.stop("seen enough")
    finally:
        log.removeHandler(handler)
    text = terminal.text()
    [line] = [line for line in text.split("\r\n") if "has stopped: seen enough" in line]
    assert line.startswith("<hoptim.Study in memory")
    assert text.endswith(", stopped, 0 under way\r\n")
    assert log.filters == filters


def test_it_says_for_whom_the_loop_waits(terminal, tmp_path):
    """While others hold what is due, their members are named; then it says so no more."""
    first = study(tmp_path, size=2, steps=1)
    held = first.ask()
    second = hoptim.load(tmp_path, progress=True)
    loop = iter(second)
    next(loop).tell(0.5)

    def tell_when_waited_for(seconds):
        if held.ended is None:
            held.tell(0.25)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hoptim.session.loop.time.sleep", tell_when_waited_for)
        assert list(loop) == []
    lines = drawn(terminal.text())
    waits = [line for line in lines if "waits" in line]
    assert waits[-1].startswith(f"1 of 2 trials, 50 %, best 0.5, waits for member {held.member}")
    assert set(lines[lines.index(waits[-1]) + 1 :]) == {
        "2 of 2 trials, 100 %, best 0.25, all done, 0 under way"
    }


def test_after_waiting_the_line_is_drawn_at_once(terminal, monkeypatch):
    """A trial that was waited for may take hours: the line does not say meanwhile that the loop waits."""
    line = study(None, progress=True)._loop.line
    monkeypatch.setattr(progress_line, "_EVERY", 1e6)
    line.show("member 3")
    line.show("member 3")
    line.show()
    line.show()
    assert ["waits" in text for text in drawn(terminal.text())] == [True, False]
    line.end()


def test_another_thread_at_work_is_not_waited_for(terminal):
    """A thread that holds the study may wait for its lock: the line is left as it is."""
    made = study(None, progress=True)
    mutex = made._session.store.journal.mutex
    with ThreadPool(1) as pool:
        pool.apply(mutex.acquire)
        made._loop.line.show()
        pool.apply(mutex.release)
    made._loop.line.show()
    assert len(drawn(terminal.text())) == 1
    made._loop.line.end()


def test_a_pickled_study_shows_none(tmp_path):
    """One line is for all workers, so that of a study which is sent to another process is off."""
    made = study(tmp_path, progress=True, lease=300.0)
    sent = pickle.loads(pickle.dumps(made))
    assert (made.options.progress, sent.options.progress, sent.options.lease) == (True, False, 300.0)


def test_a_forked_child_shows_none(terminal):
    """A child that loops beside its parent leaves the line to it."""
    made = study(None, progress=True)
    child = os.fork()
    if not child:
        made._loop.line.show()
        made._loop.line.end()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert terminal.text() == ""


def test_progress_is_true_or_false():
    """Anything else is refused at once."""
    with pytest.raises(hoptim.ArgumentError, match="progress must be True or False"):
        study(None, progress=np.zeros(2))


@pytest.mark.parametrize("how", ["function", "command"])
def test_a_launch_shows_one_line_for_the_crew(how, tmp_path):
    """The launcher draws the line of all its workers, on a terminal that they share."""
    pytest.importorskip("click", reason="`hoptim run` needs the extra 'cli'")
    if how == "function":
        (tmp_path / "run.py").write_text(RUN)
        command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path)]
    else:
        launched.made(tmp_path)
        worker = [sys.executable, str(ROOT / "tests" / "launched.py"), "train"]
        command = [sys.executable, "-m", "hoptim", "run", "-n", "2", str(tmp_path / "study"), "--", *worker]
    terminal = Terminal()
    subprocess.run(
        command, stderr=terminal.stream, stdout=subprocess.DEVNULL, check=True, timeout=launched.LIMIT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=Path("/"),
    )  # fmt: skip
    text = terminal.text()
    counts = [int(line.split()[0]) for line in drawn(text)]
    assert counts == sorted(counts)
    assert counts[-1] == launched.SIZE * launched.STEPS
    assert text.count("\n") == 1
