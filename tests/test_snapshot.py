"""The snapshot: a study opened with it is the same as one opened without, and nothing depends on it."""

from __future__ import annotations

import errno
import gc
import json
import os
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path

import pytest

import hoptim
from hoptim.store import garbage, hot_state, line_format, snapshot
from hoptim.store.journal import FileJournal
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.store.trial_row import FIELDS
from tests import driven
from tests.builders import advance, described, records, snapshot_often, stripped, study, train
from tests.wild import change


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Snapshots after each append, with as little in them as there may be."""
    snapshot_often(monkeypatch, 1)


@pytest.fixture
def unread(monkeypatch):
    """Fail whatever reads the past."""

    def records_before(journal, end):
        raise AssertionError("the past was read")

    monkeypatch.setattr(FileJournal, "records_before", records_before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study that was trained to its end, with the snapshot that one of its last appends left."""
    with pytest.MonkeyPatch.context() as patch:
        snapshot_often(patch, 1)
        made = train(study(tmp_path_factory.mktemp("trained") / "s", steps=8), saves=True)
    return Path(made.path)


@pytest.fixture
def folder(tmp_path, trained):
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "s"))


def state_of(folder):
    """The state that a process finds that opens the study now."""
    return hoptim.load(folder)._session.store.refresh()


def lacks(state):
    """Whether a state has trials that it has not read."""
    return state.lacks_past


@pytest.mark.parametrize("format", [1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_a_state_from_a_snapshot_is_the_state(tmp_path, format, seed):
    """At each record of a drawn journal, and folded on from there, everything is as from the front."""
    driven.begun(tmp_path, format)
    lacking, old = 0, driven.opened(tmp_path)
    for worker in driven.drive(tmp_path, random.Random(seed)):
        fresh = driven.opened(tmp_path)
        lacking += lacks(fresh.refresh())
        expected = described(worker.state)
        assert described(fresh.state) == expected
        if worker.state.n % 7 == 0:
            assert described(old.refresh()) == expected
            old = driven.opened(tmp_path)
            old.refresh()
    assert lacking > 5


@pytest.mark.parametrize("optimizer", [hoptim.ROMUL(), hoptim.ASHA(4), hoptim.Patient()], ids=repr)
def test_the_next_trials_are_the_same(tmp_path, optimizer):
    """With the snapshot and without it the same trials are asked for, whatever an optimizer looks at."""
    made = study(tmp_path / "a", optimizer=optimizer, steps=8)
    for _ in range(4):
        advance(made)
    made._session.store.leave()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "snapshot.json").unlink()
    with_it, without = (hoptim.load(tmp_path / name) for name in "ab")
    assert lacks(with_it._session.store.refresh())
    for each in (with_it, without):
        for _ in range(2):
            advance(each)
    assert stripped(tmp_path / "a") == stripped(tmp_path / "b")


def test_training_goes_on_without_the_past(tmp_path, unread, monkeypatch):
    """Asking, telling, failing, handing back, a deadline and the best read nothing before the snapshot."""
    monkeypatch.setattr(hot_state, "LATEST", 4)
    made = study(tmp_path / "s", steps=30)
    for _ in range(9):
        advance(made)
    mine = hoptim.load(tmp_path / "s", keep=lambda trial: trial.number % 50 == 0)
    assert lacks(mine._session.store.refresh())
    first, second = mine.ask(), mine.ask(deadline=time.time() + 3600)
    first.release()
    second.fail("made to fail")
    for _ in range(3):
        advance(mine)
    assert (mine.best.step, mine.done) == (11, False)
    assert mine.best_ever.value == made.best_ever.value


def test_the_past_is_read_before_the_lock_is_held(tmp_path, monkeypatch):
    """An optimizer that looks at the history makes no other process wait, from its first ask on."""
    made = study(tmp_path / "s", optimizer=hoptim.ASHA(4), steps=20)
    for _ in range(4):
        advance(made)
    made._session.store.leave()
    held, whole = [], FileJournal.records_before

    def records_before(journal, end):
        held.append(journal._lock.fd)
        return whole(journal, end)

    monkeypatch.setattr(FileJournal, "records_before", records_before)
    mine = hoptim.load(tmp_path / "s")
    advance(mine)
    assert held == [-1]


def test_an_old_trial_is_read_when_it_is_asked_for(folder):
    """A claim of a trial of the past is found, and its second tell acknowledged or refused as ever."""
    mine = hoptim.load(folder)
    old = records(folder)
    told = next(record for record in old if record["op"] == "tell")
    claim = mine._session.store.resume_claim(told["trial"], told["token"])
    assert (claim.trial.step, claim.trial.value) == (0, told["value"])
    assert lacks(state_of(folder))
    with pytest.raises(hoptim.ArgumentError, match="There is no trial 99"):
        mine._session.store.resume_claim(99, 1)


def test_whoever_reads_the_past_gets_all_of_it(folder):
    """Results, history in the order of ending, a fork at the first step, slices, and counts."""
    lazy = hoptim.load(folder)
    state = lazy._session.store.refresh()
    assert (len(state.finished), len(state.members[0])) == (32, 8)
    assert (0 in state.finished, 31 in state.finished, 32 in state.finished) == (True, True, False)
    assert (state.members[0][-1].step, [t.step for t in state.members[0][7:]]) == (7, [7])
    assert lacks(state)
    with pytest.raises(IndexError):
        state.members[0][8]
    assert [trial.step for trial in state.members[0][1:3]] == [1, 2]
    assert not lacks(state)
    assert [trial.number for trial in lazy.trials] == list(range(32))
    forked = hoptim.fork(folder, folder.with_name("f"), at_step=7)
    assert [trial.step for trial in forked.trials] == [0] * 4


def test_fields_of_a_row_are_those_of_a_trial():
    """A field that is added to trials is missed in their rows."""
    assert tuple(FIELDS) == TrialRecord.__slots__


# -- what may be wrong with it


def expect_unused(folder):
    """A study opens as from the front."""
    state = state_of(folder)
    assert not lacks(state)
    assert described(state) == described(state_from_the_front(folder))


def state_from_the_front(folder):
    """The state without a snapshot."""
    other = folder.with_name("front")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(folder, other)
    (other / "snapshot.json").unlink(missing_ok=True)
    return state_of(other)


def test_a_snapshot_that_was_changed_is_not_used(folder):
    """Any byte flipped, any length cut: the journal is read from the front."""
    path = folder / "snapshot.json"
    whole = path.read_bytes()
    journal = hoptim.load(folder)._session.store.journal
    shape = hoptim.load(folder)._session.store._transactions._shape
    snapshots = snapshot.Snapshots(journal, hoptim.load(folder).uuid, shape)
    assert snapshots.begin() is not None
    for at in range(0, len(whole), 29):
        for found in (whole[:at], whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]):
            path.write_bytes(found)
            assert snapshots.begin() is None
    for found in (b"", b"\n", bytes(len(whole)), whole + b"x", whole * 2, random.Random(0).randbytes(999)):
        path.write_bytes(found)
        assert snapshots.begin() is None
    expect_unused(folder)


def test_a_snapshot_of_another_study_is_not_used(folder):
    """Its digits follow those of the uuid, so that of a copy with another uuid does not fit."""
    other = study(folder.with_name("other"), steps=8)
    train(other, saves=True)
    shutil.copy(folder.with_name("other") / "snapshot.json", folder)
    expect_unused(folder)


def test_a_snapshot_of_another_version_is_not_used(folder, monkeypatch):
    """What a later version writes is not guessed at."""
    monkeypatch.setattr(snapshot, "_VERSION", snapshot._VERSION + 1)
    expect_unused(folder)


def test_a_snapshot_of_what_is_gone_is_not_used(tmp_path):
    """A journal that was put back to an earlier moment, or went on otherwise, is read from the front."""
    made = study(tmp_path / "s", optimizer=hoptim.ROMUL())
    journal = tmp_path / "s" / "journal.jsonl"
    advance(made)
    earlier = journal.read_bytes()
    advance(made)
    later = (tmp_path / "s" / "snapshot.json").read_bytes()
    journal.write_bytes(earlier)
    expect_unused(tmp_path / "s")
    (tmp_path / "s" / "snapshot.json").unlink()
    other = hoptim.load(tmp_path / "s")
    advance(other)
    advance(other)
    (tmp_path / "s" / "snapshot.json").write_bytes(later)
    expect_unused(tmp_path / "s")


def test_own_records_that_are_gone_are_missed_with_a_snapshot_too(tmp_path):
    """A journal put back to where a snapshot still fits: its workers say so and stop."""
    made = study(tmp_path / "s")
    advance(made)
    journal, kept = tmp_path / "s" / "journal.jsonl", tmp_path / "s" / "snapshot.json"
    earlier = journal.read_bytes(), kept.read_bytes()
    advance(made)
    journal.write_bytes(earlier[0])
    kept.write_bytes(earlier[1])
    for _ in range(2):
        with pytest.raises(hoptim.StudyDamaged, match="put back to an earlier moment"):
            made.ask()


def forged(folder, change):
    """Write a snapshot whose digits are right and whose content was changed."""
    path = folder / "snapshot.json"
    found = json.loads(path.read_bytes()[9:])
    change(found)
    payload = json.dumps(found, separators=(",", ":")).encode()
    start = line_format.start(hoptim.load(folder).uuid)
    path.write_bytes(line_format.digits(start, payload) + b" " + payload + b"\n")


def test_a_forged_snapshot_harms_nothing(folder):
    """Fields of any kind: not used, or told apart once the past is read; never another error."""
    whole = (folder / "snapshot.json").read_bytes()
    rng = random.Random(1)
    for _ in range(60):
        (folder / "snapshot.json").write_bytes(whole)
        forged(folder, lambda found: change(found, rng))
        with suppress(hoptim.StudyDamaged):
            assert len(hoptim.load(folder).trials) == 32
        assert hoptim.load(folder).check().ok


def test_names_that_lead_elsewhere_are_refused(folder):
    """A checkpoint of a snapshot has the name of its claim, as in a record."""
    forged(folder, lambda found: found["state"]["saved"][0][1].update(name="../../victim"))
    expect_unused(folder)


# -- damage before it


def test_damage_before_a_snapshot_is_found_by_whoever_reads_it(folder):
    """Training goes on; the past and the check say line and byte."""
    study(folder, steps=9)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b'"op":"ask"', b'"op":"asK"').replace(b'"op":"tell"', b'"op":"telL"')
    journal.write_bytes(b"".join(lines))
    at = sum(map(len, lines[:5]))
    mine = hoptim.load(folder)
    advance(mine)
    assert mine.done
    with pytest.raises(hoptim.StudyDamaged, match=f"damaged at line 6, byte {at}: records follow"):
        _ = mine.trials
    with pytest.raises(hoptim.StudyDamaged, match="damaged at line 6"):
        _ = mine.trials
    (error,) = mine.check().of("error")
    assert (error.kind, error.where) == ("damaged-line", (6, at))
    (folder / "snapshot.json").unlink()
    with pytest.raises(hoptim.StudyDamaged, match="damaged at line 6"):
        _ = hoptim.load(folder).best


# -- writing it


def test_a_snapshot_that_cannot_be_written_is_nobodys_error(tmp_path, monkeypatch):
    """A full disk, or no right to write: the tell is acknowledged, and no draft is left."""

    def full(path, data, durable=True):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(snapshot, "write_new", full)
    advance(study(tmp_path / "s"))
    assert not (tmp_path / "s" / "snapshot.json").exists()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_snapshot_that_is_no_file_is_left_alone(tmp_path, kind):
    """A folder of that name stays and no draft does; a link is replaced, not followed."""
    made, path = study(tmp_path / "s"), tmp_path / "s" / "snapshot.json"
    path.unlink(missing_ok=True)
    (tmp_path / "outside").write_text("mine")
    path.mkdir() if kind == "folder" else path.symlink_to(tmp_path / "outside")
    advance(made)
    assert (tmp_path / "outside").read_text() == "mine"
    assert path.is_dir() == (kind == "folder")
    assert not [name for name in os.listdir(tmp_path / "s") if name.startswith(".snapshot")]


def test_a_draft_of_a_snapshot_is_tidied_up(folder):
    """One that a killed process left is a leftover to the check, and goes with the next worker."""
    draft = folder / ".snapshot.json-0123abcd"
    draft.write_bytes(b"half")
    (leftover,) = hoptim.load(folder).check().of("leftover")
    assert (leftover.kind, leftover.path) == ("draft", draft.name)
    study(folder, steps=9).ask()
    assert not draft.exists()


def test_a_snapshot_of_records_of_others_waits(tmp_path):
    """Only what this process appended last is surely on the disk; read on since, nothing is written."""
    mine, others = study(tmp_path / "s"), study(tmp_path / "s")
    advance(mine)
    before = (tmp_path / "s" / "snapshot.json").read_bytes()
    others.ask()
    after = (tmp_path / "s" / "snapshot.json").read_bytes()
    mine._session.store.refresh()
    mine._session.store._transactions._snapshots.after(mine._session.store.state, 1)
    assert (tmp_path / "s" / "snapshot.json").read_bytes() == after != before


@pytest.mark.parametrize(("size", "every"), [(4, 1000), (1000, 17000)])
def test_appends_bear_little_of_it(size, every, monkeypatch):
    """Between two snapshots are 1,000 records, and 4 for each trial that is written."""
    monkeypatch.undo()
    state = State(StudyShape(size, 9, 0, 1))
    due = []
    for state.n in range(1, 2 * every + 2):
        due += [state.n] if snapshot.is_due(state, 1) else []
    assert due == [every, 2 * every]


# -- garbage collection


@pytest.mark.parametrize("was_on", [True, False])
def test_no_garbage_is_collected_while_a_long_journal_is_read(folder, monkeypatch, was_on):
    """It is on again afterwards just if it was before."""
    (folder / "snapshot.json").unlink()
    heard = []
    monkeypatch.setattr(garbage, "LONG", 1000)
    scan = line_format.scan

    def heard_scan(*arguments):
        heard.append(gc.isenabled())
        return scan(*arguments)

    monkeypatch.setattr(line_format, "scan", heard_scan)
    if not was_on:
        gc.disable()
    try:
        state_of(folder)
        assert (heard, gc.isenabled()) == ([False], was_on)
    finally:
        gc.enable()
