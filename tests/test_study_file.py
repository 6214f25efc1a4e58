"""study.json: written once, never replaced, compared each time."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

import hoptim
from hoptim.errors import NewerFormat, StoreError, StudyDamaged, StudyMismatch
from hoptim.store import study_file
from hoptim.store.differences import require_same
from tests import reader
from tests.builders import study
from tests.golden.make import FORMATS

IDENTITY = {"size": 4, "space": {"x": {"low": 0.0}}}


def test_created_settings_are_read_back(tmp_path):
    """What create writes, read finds; folders on the way are made."""
    folder = tmp_path / "a" / "b"
    assert study_file.read(folder) is None
    made = study_file.create(folder, IDENTITY, 10)
    assert study_file.read(folder) == made
    assert (made.identity, made.steps) == (IDENTITY, 10)
    (zero,) = reader.read(folder / "journal.jsonl")
    assert (zero["op"], zero["uuid"], zero["format"]) == ("create", made.uuid, 2)


def test_the_second_creator_gets_what_the_first_made(tmp_path):
    """Of many creators at once with different settings one wins, and all are given its study."""
    found, ready = [], threading.Barrier(8)

    def create(size):
        ready.wait()
        found.append(study_file.create(tmp_path / "s", {"size": size}, size))

    threads = [threading.Thread(target=create, args=(i + 1,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 8


@pytest.mark.parametrize("stop", ["journal", "draft", "link"])
def test_a_creator_that_dies_leaves_no_study(tmp_path, monkeypatch, stop):
    """Killed between its files, a creator has made nothing, and the next one makes a whole study."""
    calls = []
    real_new, real_link = study_file.write_new, os.link

    def new(path, data):
        if path.name.startswith("journal" if stop == "journal" else ".study") and stop != "link":
            raise SystemExit
        calls.append(path.name)
        real_new(path, data)

    def link(a, b):
        raise SystemExit

    monkeypatch.setattr(study_file, "write_new", new)
    if stop == "link":
        monkeypatch.setattr(os, "link", link)
    with pytest.raises(SystemExit):
        study_file.create(tmp_path, IDENTITY, 3)
    monkeypatch.setattr(study_file, "write_new", real_new)
    monkeypatch.setattr(os, "link", real_link)
    assert study_file.read(tmp_path) is None
    made = study_file.create(tmp_path, IDENTITY, 3)
    assert study_file.read(tmp_path) == made
    assert reader.read(tmp_path / "journal.jsonl")[0]["uuid"] == made.uuid


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    """Where link(2) is not supported, study.json is created exclusively."""

    def unsupported(a, b):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    made = study_file.create(tmp_path, IDENTITY, 3)
    assert study_file.read(tmp_path) == made


@pytest.mark.parametrize("other", [{"size": 5}, {"size": 4, "space": {"y": {"low": 0.0}}}])
def test_trials_without_study_json_are_not_written_over(tmp_path, other):
    """A journal that holds trials is never begun anew, nor given the settings of another study."""
    study_file.create(tmp_path, IDENTITY, 3)
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b"anything\n")
    (tmp_path / "study.json").unlink()
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(StudyDamaged, match="is gone though"):
        study_file.create(tmp_path, other, 3)
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert not (tmp_path / "study.json").exists()


@pytest.mark.parametrize(("extended", "asked"), [((), 3), ((), 8), ((5,), 5), ((5, 7), 7), ((5, 7), 9)])
def test_a_purged_study_json_is_written_again(tmp_path, caplog, extended, asked):
    """The call that made a study, with any steps that it has now, writes the same bytes again."""
    folder, path = tmp_path / "s", tmp_path / "s" / "study.json"
    for steps in (3, *extended):
        made = study(folder, steps=steps)
        made.ask().tell(1.0)
    before = path.read_bytes()
    path.unlink()
    with pytest.raises(hoptim.ArgumentError, match="call that made the study writes it again"):
        hoptim.load(folder)
    again = study(folder, steps=asked)
    assert path.read_bytes() == before
    assert "made again from the settings of this call" in caplog.text
    assert (again.uuid, len(again.trials)) == (made.uuid, 1 + len(extended))
    assert again.check().findings == ()


def test_a_purged_study_json_of_format_1_is_written_again(tmp_path):
    """It says the format that its journal has."""
    folder = shutil.copytree(FORMATS[1] / "stateful", tmp_path / "s")
    old, before = hoptim.load(folder), (folder / "study.json").read_bytes()
    (folder / "study.json").unlink()
    hoptim.Study(folder, space=old.space, optimizer=old.optimizer, size=4, steps=8, mode="min", seed=1)
    assert (folder / "study.json").read_bytes() == before


def test_an_edited_study_json_is_refused(tmp_path):
    """Any change of study.json is found by its digest in record 0."""
    study_file.create(tmp_path, IDENTITY, 3)
    path = tmp_path / "study.json"
    path.write_text(path.read_text().replace('"size": 4', '"size": 5'))
    with pytest.raises(StudyDamaged, match="edited"):
        study_file.read(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"uuid": "x"}', "\0\0"])
def test_an_unreadable_study_json_is_refused(tmp_path, content):
    """A study.json that is no such thing is named with what is wrong."""
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(StudyDamaged, match="cannot be read"):
        study_file.read(tmp_path)


def test_a_later_format_is_refused(tmp_path):
    """A study of a later format is refused with both numbers, and not called damaged."""
    study_file.create(tmp_path, IDENTITY, 3)
    path = tmp_path / "study.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 3}))
    with pytest.raises(NewerFormat, match=r"format 3 .* up to 2. Update hoptim"):
        study_file.read(tmp_path)


def test_a_path_that_is_a_file_is_said(tmp_path):
    """A path that cannot be a folder is refused with the cause."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"file.*(exists|Not a directory)"):
        study_file.create(tmp_path / "file", IDENTITY, 3)
    with pytest.raises(StoreError, match="Not a directory"):
        study_file.read(tmp_path / "file" / "inner")


def test_each_difference_is_listed(tmp_path):
    """A mismatch names every setting that differs with both values, and nothing else."""
    wanted = {"size": 5, "space": {"x": {"low": 0.0}, "y": {"low": 1.0}}}
    with pytest.raises(StudyMismatch) as caught:
        require_same(str(tmp_path), IDENTITY, wanted)
    lines = str(caught.value).splitlines()[1:]
    assert lines == [
        "  size: recorded 4, asked for 5",
        '  space.y: recorded null, asked for {"low": 1.0}',
    ]
    require_same(str(tmp_path), IDENTITY, IDENTITY)
    with pytest.raises(StudyMismatch) as caught:
        require_same(str(tmp_path), {"optimizer": {"name": "A", "a": 1}}, {"optimizer": {"name": "B"}})
    assert str(caught.value).splitlines()[1:] == ['  optimizer.name: recorded "A", asked for "B"']


def test_a_file_that_is_listed_but_not_found_is_looked_for_again(tmp_path, monkeypatch):
    """Over NFS a look-up may miss what another machine has just made; nobody makes it a second time."""
    made, real, missed = study_file.create(tmp_path, IDENTITY, 3), study_file.read, []

    def read(folder):
        missed.append(folder)
        return None if len(missed) < 3 else real(folder)

    monkeypatch.setattr(study_file, "read", read)
    assert study_file.create(tmp_path, IDENTITY, 3) == made
    monkeypatch.setattr(study_file, "read", lambda folder: None)
    monkeypatch.setattr(study_file, "_LOOKS", 2)
    with pytest.raises(StoreError, match="listed but not found"):
        study_file.create(tmp_path, IDENTITY, 3)
