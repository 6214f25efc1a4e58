"""Studies that an earlier version wrote open, show what they showed, and go on; see `golden/make.py`."""

from __future__ import annotations

import json
import shutil

import pytest

import hoptim
from tests.golden.make import EXPECTED, HERE, STUDIES, shown, train

GOLDEN = json.loads(EXPECTED.read_text())


@pytest.fixture(params=STUDIES)
def golden(request, tmp_path):
    """The name of a study, and a copy of it."""
    return request.param, shutil.copytree(HERE / request.param, tmp_path / request.param)


def same(shown_now, recorded):
    """Whether two contents of JSON are equal, NaN and all."""
    return json.dumps(shown_now, sort_keys=True) == json.dumps(recorded, sort_keys=True)


def test_it_shows_what_it_showed(golden):
    """Trials, best, schedule and lineage are those of the version that wrote it, to the last bit."""
    name, folder = golden
    found = shown(hoptim.load(folder))
    assert found.keys() == GOLDEN[name].keys()
    for what, recorded in GOLDEN[name].items():
        assert same(found[what], recorded), what
    assert hoptim.load(folder).check().findings == ()


def test_it_goes_on(golden):
    """It is extended and trained to its end; what there was before stays as it was."""
    name, folder = golden
    old = hoptim.load(folder)
    study = hoptim.Study(
        folder, space=old.space, optimizer=old.optimizer, size=old.size, steps=old.steps + 2, mode=old.mode,
        seed=old.seed,
    )  # fmt: skip
    train(study, saves=name != "stateless")
    assert study.done
    assert len(study.trials) == study.size * study.steps
    before = shown(old)["trials"][: len(GOLDEN[name]["trials"])]
    for now, recorded in zip(before, GOLDEN[name]["trials"], strict=True):
        assert same({**now, "checkpoint": None}, {**recorded, "checkpoint": None})
    assert study.check().findings == ()


def test_it_is_forked(golden, tmp_path):
    """A fork begins with its last whole generation."""
    name, folder = golden
    new = hoptim.fork(folder, tmp_path / "new")
    train(new, saves=name != "stateless")
    assert new.check().findings == ()
    assert new.origin is not None
    assert same(shown(new.origin)["best"], GOLDEN[name]["best"])
