"""Many create one study at once; who asks for other settings, or another format, is told the difference."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

import hoptim
from hoptim.store import line_format
from tests import builders, reader
from tests.builders import loss, recompute, saving, study, train
from tests.hostile import snapshot

SETTINGS: list[dict[str, Any]] = [
    {"size": 3}, {"seed": 7}, {"mode": "max"}, {"optimizer": hoptim.Initiator()},
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


def create(folder: Path, which: int, start: Any, acks: Path) -> None:
    """Create or join, train to the end, and note what was acknowledged or said."""
    note: dict[str, Any] = {"which": which, "told": [], "said": None}
    start.wait()
    try:
        for trial in study(folder, **SETTINGS[which]):
            value = loss(trial)
            trial.tell(value, save=saving("weights"))
            note["told"].append([trial.number, value])
    except hoptim.StudyMismatch as error:
        note["said"] = str(error)
    (acks / str(os.getpid())).write_text(json.dumps(note))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("round", range(3))
def test_sixteen_creators_with_four_settings_make_one_study(tmp_path, folder, round):
    """One of the settings wins; who has them goes on, the others hear each difference."""
    acks = tmp_path / "acks"
    acks.mkdir()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(16)
    processes = [context.Process(target=create, args=(folder, i % 4, start, acks)) for i in range(16)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 16
    notes = [json.loads(file.read_text()) for file in acks.iterdir()]
    (winner,) = {note["which"] for note in notes if note["said"] is None}
    assert sum(note["which"] == winner for note in notes if note["said"] is None) == 4
    for note in notes:
        if note["which"] != winner:
            (mine,), (theirs,) = SETTINGS[note["which"]], SETTINGS[winner]
            said = {mine, theirs} if theirs != "optimizer" else {mine}  # none given: the recorded one
            assert all(f"  {name}" in note["said"] for name in said), note["said"]
    told = [tuple(each) for note in notes for each in note["told"]]
    wrong, places = reader.judge(folder / "journal.jsonl", told)
    assert (wrong, len(places)) == ([], len(told))
    assert hoptim.load(folder).done
    assert recompute(folder) == len(told)
    assert {path.name for path in folder.iterdir()} <= {
        "study.json", "journal.jsonl", "lock", "queue", "reserve", "workers", "checkpoints", "scratch",
    }  # fmt: skip


# -- another study than the one asked for ----------------------------------------------------------


LATER = pytest.param(3, hoptim.NewerFormat, "format 3 .*reads formats up to 2. Update hoptim")
FORMATS = [LATER, *((found, hoptim.StudyDamaged, "format is") for found in (0, "1", None, True, 2.0))]


@pytest.mark.parametrize(("found", "error", "said"), FORMATS)
def test_another_format_is_refused(folder, found, error, said):
    """A journal of a later format wants another hoptim, one of none is damaged; neither is written to."""
    train(study(folder, steps=1))
    path = folder / "journal.jsonl"
    first = json.loads(path.read_bytes().splitlines()[0][9:])
    path.write_bytes(line_format.encode(first | {"format": found}, line_format.start(first["uuid"])))
    before = path.read_bytes()
    with pytest.raises(error, match=said):
        study(folder, steps=1).ask()
    assert path.read_bytes() == before


def test_every_difference_is_listed(folder, caplog):
    """Other settings are refused with each difference, recorded and asked for; nothing is written."""
    caplog.set_level(logging.CRITICAL)
    study(folder)
    before = snapshot(folder)
    other = builders.space() | {"x": hoptim.Float(0.0, 2.0), "new": hoptim.Int(1, 2)}
    with pytest.raises(hoptim.StudyMismatch) as caught:
        study(folder, space=other, size=5, mode="max", optimizer=hoptim.TruncationSelection())
    for name in ("space.x.high", "space.new", "size", "mode", "optimizer.name"):
        assert f"  {name}: recorded " in str(caught.value)
    assert snapshot(folder) == before
