"""How far a long journal is read: told while it is read, and shown on a terminal."""

from __future__ import annotations

import contextvars
import io

import pytest

import hoptim
from hoptim.cli import reading
from hoptim.store import journal, open_journal
from hoptim.store.reading import show_with
from tests.builders import study, train


def test_reading_tells_how_far_it_is(tmp_path, monkeypatch):
    """Each portion of the journal is told of once it is folded; another context is not told."""
    train(study(tmp_path))
    size = (tmp_path / "journal.jsonl").stat().st_size
    for reader in (journal, open_journal):
        monkeypatch.setattr(reader, "PORTION", size // 3)
    told = []

    def look():
        show_with(lambda read, of: told.append((read, of)))
        return hoptim.load(tmp_path).results().finished

    assert contextvars.copy_context().run(look) == 20
    assert [of for _, of in told] == [size] * len(told)
    assert [read for read, _ in told] == sorted({read for read, _ in told})
    assert told[-1] == (size, size)
    assert len(told) >= 3
    before = len(told)
    hoptim.load(tmp_path).results()
    assert len(told) == before


def test_a_line_shows_how_far_and_goes(monkeypatch):
    """It is shown after a second, five times a second, safe for a terminal, and is gone in the end."""
    now = [0.0]
    monkeypatch.setattr(reading.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    line = reading.ReadingLine("a\x1b[2Jb", stream)
    for second, read in ((0.5, 10), (1.1, 25), (1.2, 30), (1.4, 50)):
        now[0] = second
        line(read * 10**6, 10**8)
    line(10**8, 10**8)
    _, *shown = stream.getvalue().split("\r\x1b[K")
    assert shown == [r"Reading a\x1b[2Jb: 25 % of 100 MB", r"Reading a\x1b[2Jb: 50 % of 100 MB", ""]


def test_what_is_quick_shows_nothing(monkeypatch):
    """A journal that is read within a second leaves the terminal alone, to its end."""
    monkeypatch.setattr(reading.time, "monotonic", lambda: 0.0)
    stream = io.StringIO()
    line = reading.ReadingLine("a", stream)
    line(1, 2)
    line(2, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_is_shown_it(monkeypatch, terminal):
    """Into a file or a pipe, standard error gets no line."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(reading.sys, "stderr", stream)
    shown = []
    monkeypatch.setattr(reading, "show_with", shown.append)
    reading.show_reading("a")
    assert len(shown) == terminal
