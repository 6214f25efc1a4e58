"""`hoptim export-checkpoint`: a whole copy of a checkpoint, made while others train."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs the extra 'cli'")

import hoptim
from hoptim.__main__ import main
from hoptim.cli import export_checkpoint as command
from tests.builders import advance, saving, study


def folder_of(text):
    """A `save` that makes a folder with a file in a folder."""

    def save(path):
        (Path(path) / "inner").mkdir(parents=True)
        (Path(path) / "inner" / "weights").write_text(text)

    return save


def test_the_best_is_copied_whole(tmp_path):
    """A file is copied as a file, a folder with all that is in it; neither shares bytes with the study."""
    for name, save in (("file", saving("w")), ("folder", folder_of("w"))):
        made = study(tmp_path / name)
        made.ask().tell(0.5, save=save)
        copy = tmp_path / f"copy of {name}"
        assert main(["export-checkpoint", str(made.path), "--best", "-o", str(copy)]) == 0
        inner = copy if name == "file" else copy / "inner" / "weights"
        assert inner.read_text() == "w"
        inner.write_text("changed")
        assert made.best.checkpoint is not None
        theirs = Path(made.best.checkpoint)
        assert (theirs if name == "file" else theirs / "inner" / "weights").read_text() == "w"


def test_any_trial_is_copied_by_number(tmp_path, capsys):
    """One that has no checkpoint any more, or that there is not, is an error that says so."""
    made = study(tmp_path / "s", size=2, steps=9)
    for _ in range(4):
        advance(made)
    kept = next(trial for trial in made.trials if trial.checkpoint is not None)
    gone = next(trial for trial in made.trials if trial.checkpoint is None)

    def copied(number, name):
        return main(
            ["export-checkpoint", str(made.path), "--trial", str(number), "-o", str(tmp_path / name)]
        )

    assert copied(kept.number, "copy") == 0
    assert (tmp_path / "copy").read_text() == str(kept.number)
    assert copied(gone.number, "gone") == 1
    assert "has no checkpoint, or it was dropped" in capsys.readouterr().err
    assert copied(99, "none") == 2


def test_what_is_dropped_meanwhile_is_not_taken_for_whole(tmp_path, monkeypatch):
    """A folder that goes while it is copied leaves nothing; the best by then is copied instead."""
    made = study(tmp_path / "s", size=1, steps=9)
    made.ask().tell(0.5, save=folder_of("old"))
    copy = command.link_or_copy
    sources = []

    def copied_late(source, *arguments, **named):
        copy(source, *arguments, **named)
        sources.append(source)
        if len(sources) == 1:
            for value in (0.2, 0.1):
                made.ask().tell(value, save=folder_of(f"new {value}"))
            assert not os.path.exists(source)

    monkeypatch.setattr(command, "link_or_copy", copied_late)
    assert main(["export-checkpoint", str(made.path), "-o", str(tmp_path / "copy")]) == 0
    assert (tmp_path / "copy" / "inner" / "weights").read_text() == "new 0.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "s"]


def test_what_cannot_be_copied_is_an_error(tmp_path, capsys, monkeypatch):
    """Nothing is overwritten, and a study without pause between drops is told of `study.pin`."""
    made = study(tmp_path / "s")
    made.ask().tell(0.5, save=saving("w"))
    words = ["export-checkpoint", str(made.path), "-o"]
    assert main([*words, str(tmp_path / "s")]) == 2
    assert "already; name a new path" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "copy"), "--best", "--trial", "0"]) == 2
    monkeypatch.setattr(command, "_copied", lambda *_: False)
    assert main([*words, str(tmp_path / "copy")]) == 1
    assert "with study.pin() as path" in capsys.readouterr().err
    assert hoptim.load(made.path).best.checkpoint is not None
