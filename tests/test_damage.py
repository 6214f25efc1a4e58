"""Damaged files are read as if whole, repaired at the torn end alone, or refused; never misread."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

import hoptim
from hoptim.errors import StudyDamaged
from hoptim.store.journal import FileJournal
from tests import damage
from tests.builders import study, train
from tests.damage_bench import Bench, all_of

SAMPLE = 250  # damages of each kind; `python -m tests.damage` judges all


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """The journals of two studies."""
    folder = tmp_path_factory.mktemp("whole")
    return damage.build(folder / "one"), damage.build(folder / "other", seed=1)


@pytest.fixture
def bench(tmp_path, journals):
    """Judges damaged copies of the first."""
    bench = Bench(tmp_path, journals[0])
    yield bench
    bench.close()


def wrong(bench: Bench, damages) -> list[str]:
    """What is wrong with some damages; at least one must have been judged."""
    verdicts = [(each.name, bench.judge(each)) for each in damages]
    assert verdicts
    return [f"{name}: {verdict}" for name, verdict in verdicts if verdict.startswith("WRONG")]


def test_the_journal_has_every_kind_of_record(journals):
    """What is damaged is a real journal with all ops, single records and batches, and long lines."""
    records = damage.loads(journals[0])
    ops = {"create", "ask", "tell", "fail", "release", "reclaim", "extend"}
    assert {record["op"] for record in records} == ops
    assert any("drops" in record for record in records)
    assert len(records) >= 270
    starts = damage.appends(journals[0])
    assert starts[-1] - starts[-2] > 2 * damage.PAGE
    assert {record.get("batch", 0) for record in records} >= {0, 1}


@pytest.mark.parametrize(
    "kind", ["flips", "last flips", "cuts", "pages", "moves", "last moves", "tails", "splices"]
)
def test_no_damage_is_silent(bench, journals, kind):
    """Each damage ends in the same state, a repaired tail, or a refusal that names the line."""
    whole, other = journals
    rng, start = random.Random(kind), damage.appends(whole)[-2]
    damages = {
        "flips": lambda: damage.flips(whole, rng.sample(range(len(whole)), SAMPLE // 4)),
        "last flips": lambda: damage.flips(whole, rng.sample(range(start, len(whole)), SAMPLE // 4)),
        "cuts": lambda: damage.cuts(whole, [*range(120), *rng.sample(range(len(whole)), SAMPLE)]),
        "pages": lambda: damage.pages(whole),
        "moves": lambda: islice(damage.moves(whole, len(whole)), rng.randrange(7), None, 7),
        "last moves": lambda: islice(damage.last_moves(whole), rng.randrange(17), None, 17),
        "tails": lambda: islice(damage.tails(whole, other), rng.randrange(17), None, 17),
        "splices": lambda: islice(damage.splices(whole, other), 0, None, 5),
    }
    assert wrong(bench, damages[kind]()) == []


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_damage_that_takes_several_appends_is_refused(bench, journals, lines):
    """Zeros or garbage over the last appends but one are damage as long as a later record is whole."""
    starts = damage.appends(journals[0])
    a, b, end = starts[-6 - lines], starts[-6], starts[-5]
    whole = journals[0][:end]
    for bad in (bytes(b - a), random.Random(lines).randbytes(b - a)):
        each = damage.Damage("several", whole, whole[:a] + bad + whole[b:])
        assert bench.judge(each) == "refused"


def test_a_reader_that_knows_the_records_never_invents_any(tmp_path, journals):
    """One that read the whole journal before sees nothing new in a damaged one, a prefix, or refuses."""
    whole, path = journals[0], tmp_path / "journal.jsonl"
    records = damage.loads(whole)
    rng = random.Random(3)
    places = rng.sample(range(len(whole)), 20) + rng.sample(
        range(damage.appends(whole)[-2], len(whole)), 20
    )
    for each in [*damage.flips(whole, places), *damage.cuts(whole, places)]:
        path.write_bytes(whole)
        journal = FileJournal(tmp_path, records[0]["uuid"])
        assert all_of(journal) == records
        path.write_bytes(each.found)
        try:
            found = all_of(journal)
        except StudyDamaged:
            continue
        assert found == records[: len(found)], each.name


def test_every_byte_of_the_settings_counts(tmp_path):
    """study.json with any byte changed, or cut anywhere, is refused by name and left as it is."""
    train(study(tmp_path / "study", steps=1))
    path = tmp_path / "study" / "study.json"
    whole = path.read_bytes()
    places = range(len(whole))
    for each in [*damage.flips(whole, places), *damage.cuts(whole, places)]:
        path.write_bytes(each.found)
        with pytest.raises(StudyDamaged, match=r"study\.json"):
            hoptim.load(tmp_path / "study")
        assert path.read_bytes() == each.found, each.name
    path.write_bytes(whole)
    assert hoptim.load(tmp_path / "study").done


def test_a_torn_first_record_is_no_other_study(tmp_path):
    """A study whose first record is cut is damaged; only a whole first record shows another study."""
    train(study(tmp_path / "study", steps=1))
    path = tmp_path / "study" / "journal.jsonl"
    line = path.read_bytes().splitlines(keepends=True)[0]
    for length in range(len(line)):
        path.write_bytes(line[:length])
        with pytest.raises(StudyDamaged, match="line 1, byte 0"):
            _ = hoptim.load(tmp_path / "study").done


def test_the_files_of_two_studies_do_not_mix(tmp_path):
    """The settings of one study beside the journal of another are refused, whichever was put there."""
    for name in ("a", "b"):
        train(study(tmp_path / name, steps=1))
    for name in ("study.json", "journal.jsonl"):
        mixed = tmp_path / f"mixed {name}"
        mixed.mkdir()
        for file in ("study.json", "journal.jsonl"):
            source: Path = tmp_path / ("a" if file == name else "b") / file
            (mixed / file).write_bytes(source.read_bytes())
        with pytest.raises(hoptim.HoptimError, match="another study"):
            _ = hoptim.load(mixed).done
