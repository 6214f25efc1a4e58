"""`hoptim ls`: which studies it finds, what it says of them, and what it names as unreadable."""

from __future__ import annotations

import json
import os

import pytest

pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")

from hoptim.__main__ import main
from tests.builders import study, train


@pytest.fixture
def runs(tmp_path):
    """Three studies at different depths, and one each in a study and in a hidden folder."""
    folder = tmp_path / "runs"
    train(study(folder / "done"), saves=True)
    begun = study(folder / "deep" / "er" / "begun")
    begun.ask().tell(float("nan"))
    begun.ask()
    study(folder / "\x1b[2Jnew")
    study(folder / "done" / "checkpoints" / "inside")
    study(folder / ".hidden" / "study")
    (folder / "link").symlink_to("done")
    return folder


def listed(capsys, *arguments, status=0):
    """The rows that the command prints as JSON, by name, and what it says on standard error."""
    assert main(["ls", *map(str, arguments), "--json"]) == status
    out, err = capsys.readouterr()
    return {row["name"]: row for row in json.loads(out)}, err


def test_all_studies_below_a_folder_are_listed(runs, capsys):
    """Each study is found once, at its depth; none in another study, a hidden folder or behind a link."""
    found, err = listed(capsys, runs)
    assert (list(found), err) == (["\x1b[2Jnew", "deep/er/begun", "done"], "")
    done = found["done"]
    assert (done["path"], done["finished"], done["trials"], done["done"]) == (
        str(runs / "done"), 20, 20, True,
    )  # fmt: skip
    assert done["best"] == study(runs / "done").best.value
    begun = found["deep/er/begun"]
    assert (begun["finished"], begun["best"], begun["workers"], begun["failed"]) == (1, None, 1, 1)


def test_the_depth_is_bounded(runs, capsys):
    """Folders below `--depth` are not searched; a study's own folder is depth 0."""
    assert "deep/er/begun" not in listed(capsys, runs, "--depth", 2)[0]
    assert listed(capsys, runs, "--depth", 0) == (
        {}, f"hoptim: There is no study in {str(runs)!r}, down to 0 folders below it.\n"
    )  # fmt: skip
    assert list(listed(capsys, runs / "done", "--depth", 0)[0]) == ["done"]


def test_the_list_is_a_table(runs, capsys, monkeypatch):
    """Without a folder it is of the current one; a line each, and names steer no terminal."""
    monkeypatch.chdir(runs)
    assert main(["ls"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["study", "done", "best", "workers", "failed"]
    assert [line.split()[0] for line in lines] == [r"\x1b[2Jnew", "deep/er/begun", "done"]
    assert " 20 of 20 " in lines[2]
    assert " none yet " in lines[1]


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(runs, capsys):
    """A damaged study and a journal without its study are named on standard error, with status 1."""
    (runs / "done" / "study.json").unlink()
    (runs / "\x1b[2Jnew" / "journal.jsonl").write_text("{}\n")
    found, err = listed(capsys, runs, status=1)
    assert list(found) == ["deep/er/begun"]
    assert err.count("\n") == err.count("hoptim: ") == 2
    assert str(runs / "done") in err
    assert "\x1b" not in err


def test_a_folder_whose_reading_fails_is_named(runs, capsys, monkeypatch):
    """The error of the file system is one sentence, and the rest is listed."""
    scandir = os.scandir

    def refuse(path):
        if str(path) == str(runs / "deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as refused:
        refused.setattr(os, "scandir", refuse)
        found, err = listed(capsys, runs, status=1)
    assert (len(found), err) == (2, f"hoptim: Could not read {str(runs / 'deep')!r}: Permission denied.\n")


def test_what_is_no_folder_is_refused(tmp_path, capsys):
    """A file, or nothing at all, is wrong usage."""
    (tmp_path / "file").touch()
    for name in ("file", "none"):
        assert main(["ls", str(tmp_path / name)]) == 2
        assert "is not a directory" in capsys.readouterr().err
