"""Studies that an earlier version wrote open, show what they showed, and go on; see `golden/make.py`."""

from __future__ import annotations

import json
import shutil

import pytest

import hoptim
from hoptim.store.state import _HANDLERS
from tests.builders import ROOT, records
from tests.golden.make import FORMATS, shown, train

EXPECTED = {n: json.loads((folder / "expected.json").read_text()) for n, folder in FORMATS.items()}


@pytest.fixture(params=[(n, name) for n, expected in EXPECTED.items() for name in expected])
def golden(request, tmp_path):
    """The name of a study, a copy of it, and what was shown of it."""
    version, name = request.param
    return name, shutil.copytree(FORMATS[version] / name, tmp_path / name), EXPECTED[version][name]


def same(shown_now, recorded):
    """Whether two contents of JSON are equal, NaN and all."""
    return json.dumps(shown_now, sort_keys=True) == json.dumps(recorded, sort_keys=True)


def test_it_shows_what_it_showed(golden):
    """Trials, best, schedule and lineage are those of the version that wrote it, to the last bit."""
    _, folder, expected = golden
    found = shown(hoptim.load(folder))
    assert found.keys() == expected.keys()
    for what, recorded in expected.items():
        assert same(found[what], recorded), what
    assert hoptim.load(folder).check().findings == ()


def test_it_goes_on(golden):
    """It is extended and trained to its end; what there was before stays as it was."""
    name, folder, expected = golden
    old = hoptim.load(folder)
    study = hoptim.Study(
        folder, space=old.space, optimizer=old.optimizer, size=old.size, steps=old.steps + 2, mode=old.mode,
        seed=old.seed,
    )  # fmt: skip
    train(study, saves=name != "stateless")
    assert study.done
    assert len(study.trials) == study.size * study.steps
    before = shown(old)["trials"][: len(expected["trials"])]
    for now, recorded in zip(before, expected["trials"], strict=True):
        assert same({**now, "checkpoint": None}, {**recorded, "checkpoint": None})
    assert study.check().findings == ()
    require_format(folder)


def require_format(folder):
    """Assert that every record is of the format that record 0 says."""
    first, *others = records(folder)
    used = {field for record in others for field in record} | {record["op"] for record in others}
    assert not used & ({"checkpoint", "died", "drop", "stop"} if first["format"] == 1 else {"saved"})


def test_it_is_forked(golden, tmp_path):
    """A fork begins with its last whole generation."""
    name, folder, expected = golden
    new = hoptim.fork(folder, tmp_path / "new")
    train(new, saves=name != "stateless")
    assert new.check().findings == ()
    assert new.origin is not None
    assert same(shown(new.origin)["best"], expected["best"])


def test_the_page_names_what_is_recorded():
    """Each op and each field of every record that was ever written stands in the page on the format."""
    page = (ROOT / "docs" / "format.md").read_text()
    used = set(_HANDLERS)
    for journal in (ROOT / "tests" / "golden").rglob("journal.jsonl"):
        for record in records(journal.parent) if journal.parent.name != "origin" else ():
            used |= {record["op"], *record, *record.get("checkpoint", ())}
    assert len(used) > 30
    assert [word for word in sorted(used) if f"`{word}`" not in page] == []
