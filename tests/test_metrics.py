"""Metrics: what is told besides the value."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

import hoptim
from tests.builders import study
from tests.golden.make import FORMATS


class Unreadable:
    """An object whose own code raises."""

    def __float__(self):
        raise RuntimeError

    def tolist(self):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError


def nested(depth):
    """A list in a list in a list."""
    found = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.fixture
def folder(tmp_path):
    """A directory for a study."""
    return tmp_path / "study"


@pytest.mark.parametrize(
    ("metric", "recorded"),
    [
        (None, None),
        (nested(60), nested(60)),
        ({"big": 10**400}, {"big": 10**400}),
        ("resnet", "resnet"),
        (np.str_("a"), "a"),
        (True, 1.0),
        (np.int64(3), 3.0),
        (np.array(0.5), 0.5),
        (np.array([1.5]), [1.5]),
        (np.eye(2, dtype=int), [[1, 0], [0, 1]]),
        ((1, "b", None, True), [1, "b", None, True]),
        ({"far": [math.inf, -math.inf], 1: {}}, {"far": [math.inf, -math.inf], "1": {}}),
        ([np.float32(0.5), np.bool_(True)], [0.5, True]),
    ],
)
def test_a_metric_may_be_any_json(folder, caplog, metric, recorded):
    """It is recorded without a warning and read again as it was, numbers as floats, arrays as lists."""
    made = study(folder)
    made.ask().tell(1.0, metrics={"m": metric})
    assert repr(hoptim.load(folder).trials[0].metrics) == repr({"m": recorded})
    assert not caplog.records


@pytest.mark.parametrize(
    "metric",
    [
        object(),
        b"bytes",
        1j,
        {1, 2},
        [object()],
        "x" * 70_000,
        np.zeros((300, 300)),
        np.datetime64("2026-01-01"),
        nested(70),
        nested(2000),
        10**400,
        Unreadable(),
    ],
)
def test_a_metric_that_is_no_json_is_left_out_with_one_warning(folder, caplog, metric):
    """The trial is told with all else that it has, each time; the warning names the metric."""
    made = study(folder)
    for _ in range(2):
        made.ask().tell(1.0, metrics={"odd": metric, "accuracy": 0.5})
    assert [trial.metrics for trial in made.trials] == [{"accuracy": 0.5}] * 2
    assert ["'odd' is not recorded" in record.message for record in caplog.records] == [True]


def test_many_long_metrics_do_not_fill_the_journal(caplog):
    """What is no number takes at most 256 KiB of a trial; what comes after is left out."""
    made = study()
    made.ask().tell(1.0, metrics={**{str(i): "x" * 60_000 for i in range(9)}, "accuracy": 0.5})
    assert [len(made.trials[0].metrics), made.trials[0].metrics["accuracy"]] == [5, 0.5]
    assert len(caplog.records) == 5


def test_a_study_of_format_1_has_numbers_alone(tmp_path, caplog):
    """Its older readers know no other metrics: those are left out with a warning."""
    old = hoptim.load(shutil.copytree(FORMATS[1] / "stateless", tmp_path / "old"))
    trial = old.ask()
    trial.tell(1.0, metrics={"accuracy": 0.5, "note": "x"})
    assert hoptim.load(old.path).lineage(trial.number).trial.metrics == {"accuracy": 0.5}
    assert "records numbers alone" in caplog.text
