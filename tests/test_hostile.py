"""Files that were made to hurt: every one is refused by name or harmless; nothing hangs or is executed."""

from __future__ import annotations

import json
import logging
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import damage
from tests.builders import append, named, study, train
from tests.hostile import PICKLE, alone, append_raw, forge, outcome, settings_of, within

DEEP = b"[" * 100_000 + b"]" * 100_000
WILD: list[Any] = [
    None, True, -1, 2**31, 2**63, 2**70, 10**30, 0.5, 1e308, "", "x", "../../x", "\ud800", "nan", "\0",
    "1\n2", [], [0], [[]], {}, {"x": 1}, [0.5, float("nan")], float("nan"), float("inf"), 10**18,
]  # fmt: skip
JSON = st.sampled_from(WILD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


OPS = ["ask", "ask", "tell", "tell", "fail", "release", "reclaim", "extend"]
FIELD_NAMES = [
    "op", "trial", "member", "step", "parent", "params", "x", "memo", "worker", "time", "token", "id",
    "value", "metrics", "saved", "drops", "why", "final", "unused", "steps", "batch", "unknown",
    "checkpoint", "died",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """The files of a real study: settings, and records of every kind."""
    folder = tmp_path_factory.mktemp("real") / "study"
    lines = damage.build(folder).splitlines(keepends=True)
    return (folder / "study.json").read_bytes(), lines


# -- study.json ------------------------------------------------------------------------------------

BYTES = {
    "nothing": b"", "deep": DEEP, "a deep field": b'{"format":1,"uuid":' + DEEP + b"}", "a list": b"[]",
    "a number": b"5", "null": b"null", "5,000 digits": b"9" * 5000, "not UTF-8": b"\xff\xfe{}",
    "a pickle": PICKLE, "NUL": b"\0" * 500,
    "2 MiB": b'{"uuid":"' + b"a" * (2 << 20) + b'"}', "a later format": b'{"format":2}',
}  # fmt: skip


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_settings_are_refused(folder, name):
    """A study.json that is something else is refused by name, at once."""
    forge(folder, BYTES[name])
    said = outcome(folder)
    assert said.startswith(("StudyDamaged", "StoreError"))
    assert "study.json" in said


FIELDS = {
    "uuid": [5, None, [], "", "x\ny", "../../x", "\ud800", "0" * 5000],
    "steps": [0, -1, 2.5, "x", None, [], True],
    "identity": [None, [], "x", {}], "format": [None, [], "1", True, 3, 10**30],
}  # fmt: skip
IDENTITY = {
    "size": [0, -1, 2.5, "x", None, [], True, 2**70, 10**12], "mode": ["up", None, [], 5],
    "seed": [-1, 0.5, "x", None, []], "start": [None, 5, "x", [5], [{"x": "y"}], [{"nobody": 1}], [{}] * 9],
    "space": [
        None, [], 5, {}, {"x": 5}, {"x": {}}, {"x": {"type": "os.system"}}, {"x": {"type": "Float"}},
        {"x": {"type": "Float", "low": "a", "high": 2}}, {"x": {"type": "Float", "low": 2, "high": 1}},
        {"x": {"type": []}}, {"x": {"type": "Choice", "options": None}},
        {"x": {"type": "Int", "__reduce__": 1}}, {"__class__": {"type": "Dimension"}},
    ],
    "optimizer": [
        None, [], 5, {}, {"name": None}, {"name": []}, {"name": "ROMUL", "nothing": 1},
        {"name": "ROMUL", "name ": 1}, {"name": "os.system"}, {"name": {"ROMUL": 1}},
        {"name": "__import__('os').system('true')"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("field", [*FIELDS, *IDENTITY])
def test_settings_out_of_range_are_refused(tmp_path, field):
    """Each field of study.json with a value that hoptim never writes is refused, and said where."""
    for i, value in enumerate(FIELDS.get(field) or IDENTITY[field]):
        content = settings_of(tmp_path / f"good {i}", **({field: value} if field in IDENTITY else {}))
        if field in FIELDS:
            content[field] = value
        if value == 10**12:  # that many lists would not fit
            forge(tmp_path / "huge", json.dumps(content).encode(), content["uuid"])
            said = alone("open", tmp_path / "huge")
        else:
            forge(
                tmp_path / str(i),
                json.dumps(content).encode(),
                "0" * 32 if field == "uuid" else content["uuid"],
            )
            said = outcome(tmp_path / str(i))
        later = field == "format" and type(value) is int
        assert said.startswith("NewerFormat" if later else ("StudyDamaged", "OptimizerError")), (
            value,
            said,
        )
        assert "study.json" in said or said.startswith("OptimizerError"), (value, said)


def test_fields_that_nobody_knows_are_kept_and_never_obeyed(folder):
    """Names that mean something to Python mean nothing in a study's settings."""
    names = {
        "__reduce__": ["os.system", ["true"]],
        "__class__": "os",
        "__import__": "os",
        "py/object": "os",
    }
    content = settings_of(folder) | names
    forge(folder, json.dumps(content).encode(), content["uuid"])
    assert outcome(folder) == "fine"


# -- the journal -----------------------------------------------------------------------------------

LINES = {
    "deep": DEEP,
    "a deep field": b'{"n":1,"op":' + DEEP + b"}",
    "2 MiB": b'{"n":1,"op":"' + b"a" * (2 << 20) + b'"}',
    "5,000 digits": b'{"n":' + b"9" * 5000 + b"}",
    "n alone": b'{"n":1}',
    "n twice": b'{"n":1,"op":"extend","n":7,"steps":9}',
    "a list": b"[1]",
    "a text": b'"n"',
    "null": b"null",
    "two at once": b'{"n":1,"op":"extend","steps":7},{"n":2,"op":"extend","steps":8}',
    "nothing": b"",
    "NUL": b"\0" * 90,
    "not UTF-8": b'{"n":1,"op":"\xff"}',
    "surrogate": b'{"n":1,"op":"\\ud800"}',
    "op is a list": b'{"n":1,"op":[]}',
    "a name of ours": b'{"n":1,"op":"__init__"}',
    "1e999999": b'{"n":1,"op":"extend","steps":1e999999,"time":1}',
    "NaN": b'{"n":1,"op":"extend","steps":NaN,"time":1}',
}


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("name", LINES)
def test_lines_with_a_good_checksum_and_bad_content_are_refused(folder, name):
    """What no hoptim wrote is damage with file and line, or, as the last line, a torn tail."""
    study(folder)
    append_raw(folder, LINES[name])
    last = outcome(folder)
    assert last == "fine" or last.startswith("StudyDamaged"), last
    shutil.rmtree(folder)
    study(folder)
    append_raw(folder, LINES[name])
    append(folder, {"op": "extend", "steps": 9})
    said = outcome(folder)
    assert said.startswith("StudyDamaged"), said
    assert str(folder / "journal.jsonl") in said
    assert "line 2" in said


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(op=st.sampled_from(OPS), which=st.integers(0, 11), field=st.sampled_from(FIELD_NAMES), value=JSON)
def test_any_field_of_any_record_may_be_anything(tmp_path_factory, journal, op, which, field, value):
    """A record with a good checksum and any value in any field folds to something sound, or is damage."""
    content, lines = journal
    records = [json.loads(line[9:]) for line in lines]
    alike = [record["n"] for record in records if record["op"] == op]
    number = alike[which * 3 % len(alike)]
    record = records[number] | {field: value}
    folder = tmp_path_factory.mktemp("forged")
    (folder / "study.json").write_bytes(content)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[:number]))
    append_raw(folder, json.dumps(record).encode())
    if op == "ask":  # and tell it, so that it is shown and others continue from it
        trial = records[number]["trial"]
        append(
            folder, {"op": "tell", "trial": trial, "token": number, "value": -1.0, **named(trial, number)}
        )
    said = outcome(folder)
    shutil.rmtree(folder)
    assert "Hangs" not in said
    trials = ("StudyDamaged: The checkpoints of trials", "StudyDamaged: Trial ")  # named instead of lines
    if said.startswith("StudyDamaged") and not said.startswith(trials):
        assert "journal.jsonl" in said, said
        assert f"line {number + 1}" in said or f"line {number + 2}" in said, said


def test_numbers_out_of_range_are_refused(folder, caplog):
    """A negative member is no member, though Python would count it from the end."""
    caplog.set_level(logging.CRITICAL)
    train(study(folder), saves=True)
    for record in (
        {
            "op": "ask",
            "trial": 20,
            "member": -1,
            "step": 5,
            "parent": 3,
            "params": {"x": 0.5, "k": 1},
            "x": [0.5, 0.1],
        },
        {"op": "tell", "trial": -1, "token": 10**30, "value": 1.0},
        {"op": "drop", "trials": [-1]},
        {"op": "extend", "steps": 7.5},
        {"op": "extend", "steps": -(10**18)},
    ):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        append(copy, {"worker": "w.1.a", **record})
        assert outcome(copy).startswith("StudyDamaged"), record
        shutil.rmtree(copy)
    append(folder, {"op": "extend", "steps": 10**18})  # as anybody may ask for
    assert outcome(folder) == "fine"


def test_a_tail_of_half_records_is_judged_in_time(folder):
    """Megabytes that look like the beginnings of records cost one look at each, under the lock too."""
    train(study(folder, steps=1), saves=True)
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'00000000 {"n":1,' * 500_000)
    with within(10):
        assert outcome(folder).startswith(("StudyDamaged", "fine"))
