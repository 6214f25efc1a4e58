"""DataFrames: one row a trial, with the columns and cells of `hoptim export`."""

from __future__ import annotations

import csv
import io
import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hoptim
from hoptim.analysis import flat_table
from hoptim.analysis.frame import frame
from tests.builders import saving, study

SPACE = {
    "x": hoptim.Float(0.0, 1.0),
    "k": hoptim.Int(1, 9),
    "act": hoptim.Choice({"abs": abs, "max": max}),
    "nesterov": hoptim.Choice([True, False]),
    "step": hoptim.Ordinal([16, 32]),
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=3) | st.just("\udc80"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study with checkpoints, metrics of some trials, a trial that failed and one told nan."""
    path = tmp_path_factory.mktemp("frame") / "study"
    there = study(path, space=SPACE, size=3, steps=4, max_attempts=1)
    for trial in there:
        if trial.number == 3:
            trial.fail("out of memory")
        else:
            value = math.nan if trial.number == 4 else trial.params["x"]
            metrics = {"accuracy": 0.1 * trial.number} if trial.number > 2 else None
            trial.tell(value, save=saving("x"), metrics=metrics)
    return there


def pandas():
    return pytest.importorskip("pandas", reason="DataFrames need the extra 'pandas'")


def test_a_frame_is_the_table_of_the_export(done, capsys):
    """Columns, their order and every cell are those of the CSV; `Results` and `Study` give the same."""
    pandas(), pytest.importorskip("click"), pytest.importorskip("rich")
    from hoptim.__main__ import main

    assert main(["export", str(done.path)]) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    found = done.to_pandas()
    assert list(found.columns) == header
    assert found.equals(done.results().to_pandas())
    cells = found.astype("object").where(found.notna(), "").map(str).to_numpy().tolist()
    assert cells == [["" if cell == "nan" else cell for cell in row] for row in rows]


def test_columns_have_the_types_of_what_they_hold(done):
    """Whole numbers stay whole where some are missing, names are text, and values are exact floats."""
    pandas()
    found = done.to_pandas()
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        "number": "int64", "member": "int64", "step": "int64", "age": "int64", "parent": "Int64",
        "origin": "Int64", "value": "float64", "checkpoint": "string", "seed": "int64", "attempt": "int64",
        "interruptions": "int64", "failed": "string", "worker": "string", "asked": "float64",
        "claimed": "float64", "ended": "float64", "params.x": "float64", "params.k": "int64",
        "params.act": "string", "params.nesterov": "bool", "params.step": "int64",
        "metrics.accuracy": "float64",
    }  # fmt: skip
    assert found["params.x"].tolist() == [trial.params["x"] for trial in done.trials]
    assert found["failed"].dropna().to_dict() == {3: "out of memory"}
    assert found["value"].isna().tolist() == [trial.number in {3, 4} for trial in done.trials]
    assert found["parent"].isna().tolist() == [trial.parent is None for trial in done.trials]


def test_before_the_first_trial_the_columns_are_there():
    """An empty frame has the columns and types of the fields, so that code that reads it runs."""
    pandas()
    found = study().to_pandas()
    assert (len(found), found["value"].dtype, found["parent"].dtype) == (0, "float64", "Int64")
    assert list(found.columns) == [*flat_table.FIELDS, "params.x", "params.k"]


def test_a_schedule_is_a_frame_by_age(done):
    """A hyperparameter that is called as a column of the schedule's own is told from it."""
    pandas()
    schedule = done.schedule()
    found = schedule.to_pandas()
    assert found["age"].tolist() == list(range(len(schedule)))
    assert found["params.x"].tolist() == schedule.series("x")
    assert found["params.act"].tolist() == [value.__name__ for value in schedule.series("act")]
    assert found["params.step"].tolist() == schedule.series("step")
    assert found["step"].tolist() == [interval.step for interval in schedule]


def test_polars_takes_a_frame(done):
    """polars reads the frame by the interchange of DataFrames, what is missing as null."""
    pandas(), pytest.importorskip("pyarrow")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    found = polars.from_dataframe(done.to_pandas())
    assert found["params.x"].to_list() == [trial.params["x"] for trial in done.trials]
    assert found["parent"].to_list() == [trial.parent for trial in done.trials]
    assert found["failed"].to_list() == [trial.failed for trial in done.trials]


def test_mappings_are_columns_and_lists_are_json():
    """A metric that is a mapping has a column for each value in it; a list is one cell, as JSON."""
    pandas()
    rows = [
        flat_table.flat("metrics", {"recall": {"cat": 0.9, "dog": {"old": 1}}, "curve": [1, 2]}),
        flat_table.flat("metrics", {"recall": {"cat": None}, "note": "late"}),
    ]
    found = frame(dict.fromkeys(name for row in rows for name in row), rows)
    assert found.columns.tolist() == [
        "metrics.recall.cat", "metrics.recall.dog.old", "metrics.curve", "metrics.note",
    ]  # fmt: skip
    assert found["metrics.curve"].dropna().tolist() == ["[1, 2]"]
    assert (found["metrics.recall.cat"].dtype, found["metrics.recall.dog.old"].dtype) == (
        "float64",
        "Int64",
    )


@given(st.lists(st.dictionaries(st.text(max_size=2), json_values, max_size=3), max_size=4))
def test_any_json_is_a_column(metrics):
    """Whatever metrics hold, a frame is made, with a row for each and every scalar in its place."""
    pandas()
    rows = [flat_table.flat("metrics", each) for each in metrics]
    found = frame(dict.fromkeys(name for row in rows for name in row), rows)
    assert len(found) == (len(rows) if len(found.columns) else 0)
    for name, column in found.items():
        for row, cell in zip(rows, column, strict=True):
            wanted = row.get(name)
            if isinstance(wanted, (list, dict)):
                assert json.loads(cell) == wanted
            elif wanted is None:
                assert pandas().isna(cell)
            else:
                assert cell == wanted


def test_without_pandas_the_message_names_the_extra(monkeypatch):
    """The one call that needs the package says how to get it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(hoptim.MissingExtra, match=r"DataFrames need pandas.*'\.\[pandas\]'"):
        study().to_pandas()
