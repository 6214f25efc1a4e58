"""What a check finds in a study's directory, and what it does not take for damage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import hoptim
from hoptim.store.check import contents
from hoptim.store.check.inspection import check
from hoptim.store.check.repair import repair
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.locking import lock
from tests.builders import acknowledged, append, run, wait_until
from tests.damaged import checkpoint_of, flipped, found, lines_of, litter, tree, write


@pytest.fixture
def unlocked(monkeypatch):
    """Nobody takes the lock."""
    monkeypatch.setattr(lock.StudyLock, "acquire", lambda *_: pytest.fail("the lock was taken"))


def test_a_healthy_study_has_no_findings(folder, unlocked):
    """A study in mid-run with a claim, draft and scratch is clean; the look writes and locks nothing."""
    before = tree(folder)
    assert repair(folder) == check(folder)
    report = check(folder)
    assert (report.findings, report.ok, bool(report)) == ((), True, True)
    assert report.records == len(lines_of(folder))
    assert tree(folder) == before


# -- study.json ----------------------------------------------------------------------------------------


def edited(text: str, **fields: object) -> str:
    """The text of study.json with other fields."""
    content = json.loads(text)
    inner = {key[1:]: value for key, value in fields.items() if key.startswith("_")}
    outer = {key: value for key, value in fields.items() if not key.startswith("_")}
    return json.dumps({**content, "identity": {**content["identity"], **inner}, **outer})


STUDIES: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "a space more": (lambda text: text + " ", {"study-edited"}),
    "another seed": (lambda text: edited(text, _seed=1), {"study-edited"}),
    "a huge size": (lambda text: edited(text, _size=10**15), {"study-edited", "study-field"}),
    "another uuid": (lambda text: edited(text, uuid="f" * 32), {"study-other-journal"}),
    "another format": (lambda text: edited(text, format=3), {"study-format"}),
    "a list": (lambda _: "[]", {"study-format"}),
    "empty": (lambda _: "", {"study-unreadable"}),
    "no JSON": (lambda text: text[:-9], {"study-unreadable"}),
    "too deep": (lambda _: "[" * 100_000, {"study-unreadable"}),
    "too large": (lambda text: text + " " * (1 << 24), {"study-unreadable"}),
    "size is a text": (lambda text: edited(text, _size="4"), {"study-field", "study-edited"}),
    "size is true": (lambda text: edited(text, _size=True), {"study-field", "study-edited"}),
    "no member": (lambda text: edited(text, _size=0), {"study-field", "study-edited"}),
    "mode is mix": (lambda text: edited(text, _mode="mix"), {"study-field", "study-edited"}),
    "no identity": (lambda text: edited(text, identity=[]), {"study-field", "study-edited"}),
    "uuid is a number": (lambda text: edited(text, uuid=7), {"study-field", "study-other-journal"}),
}


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize("name", STUDIES)
def test_each_fault_of_study_json_is_found(folder, name):
    """Whatever was done to study.json is named; its journal is still read, and nothing repaired."""
    change, kinds = STUDIES[name]
    path = folder / "study.json"
    path.write_text(change(path.read_text()))
    report = check(folder)
    assert {f.kind for f in report.of("error")} == kinds
    assert report.records == len(lines_of(folder))
    before = tree(folder)
    assert not repair(folder)
    assert tree(folder) == before


def test_without_study_json_the_journal_is_still_judged(folder):
    """When study.json is gone, contradictions and damage in the journal are found all the same."""
    (folder / "study.json").unlink()
    append(folder, {"op": "extend", "steps": 1, "drops": [99]})
    assert found(folder) == [("study-missing", "study.json"), ("contradiction", "journal.jsonl")]


def test_without_a_journal_study_json_is_still_judged(folder):
    """When the journal is gone, that is said, and what is wrong with study.json too."""
    (folder / "journal.jsonl").unlink()
    (folder / "study.json").write_text("[]")
    assert found(folder) == [("study-format", "study.json"), ("journal-missing", "journal.jsonl")]


def test_a_creation_that_was_interrupted_is_no_damage(folder):
    """Record 0 without study.json is what a killed creator leaves; the next one begins anew."""
    write(folder, lines_of(folder)[:1])
    (folder / "study.json").rename(folder / ".study.json-0123abcd")
    assert found(folder) == []
    assert found(folder, "leftover") == [
        ("unfinished-creation", "journal.jsonl"), ("draft", ".study.json-0123abcd")
    ]  # fmt: skip


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_where_no_study_is_that_is_said(tmp_path, make):
    """Nothing, an empty folder or a file in place of a study is an argument that cannot work."""
    make(tmp_path / "none")
    with pytest.raises(hoptim.ArgumentError):
        check(tmp_path / "none")


# -- what lies about -----------------------------------------------------------------------------------


PLACES = [
    "study.json", "journal.jsonl", "lock", "queue", "reserve", "workers", "checkpoints", "scratch",
    "snapshot.json", "checkpoints/*", "scratch/*", "workers/*",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_links_and_special_files_are_found_at_any_name(folder, place, kind):
    """A link or a pipe at any name that hoptim uses is an error, is not followed, and nothing hangs."""
    path = min(p for p in folder.glob(place) if p.name[0] != ".") if "*" in place else folder / place
    if path.exists():
        path.rename(folder.parent / "moved")
    else:
        (folder.parent / "moved").touch()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(folder.parent / "moved" if kind == "link" else "nowhere")
    name = str(path.relative_to(folder))
    assert ("wrong-kind" if kind == "pipe" else "link", name) in found(folder)


def test_every_missing_checkpoint_is_an_error(folder):
    """Each checkpoint that is recorded and gone is named; a repair invents none, and says so."""
    gone = [path for path in (folder / "checkpoints").iterdir() if path.name[0] != "."]
    for path in gone:
        path.unlink()
    assert len(gone) > 1
    assert sorted(found(folder)) == sorted(("missing-checkpoint", f"checkpoints/{p.name}") for p in gone)
    assert repair(folder)


def test_a_dead_worker_that_holds_a_trial_is_not_touched(folder):
    """The file that proves its death stays until somebody has taken its trial back."""
    worker = next((folder / "workers").iterdir())
    worker.write_text(json.dumps({**json.loads(worker.read_text()), "start": "0"}))
    assert found(folder, "leftover") == [("dead-worker", f"workers/{worker.name}")]
    assert repair(folder).repaired == ()
    assert worker.exists()


def test_a_claim_without_a_worker_is_said(folder):
    """A trial whose holder gives no sign of life is a leftover, for the lease decides."""
    worker = next((folder / "workers").iterdir())
    worker.unlink()
    assert found(folder, "leftover") == [("claim-without-worker", f"workers/{worker.name}")]


def test_a_worker_that_just_starts_is_no_error(folder):
    """A sign of life without bytes may be of a worker that starts, so it is never moved."""
    (folder / "workers" / "host.8.abc").touch()
    assert found(folder, "leftover") == [("unreadable-worker", "workers/host.8.abc")]
    assert repair(folder).repaired == ()


def test_other_names_are_notes(folder):
    """Your own files, bytes kept aside and tests of the directory are said, and are no errors."""
    for name in ("notes.txt", "journal.jsonl.torn-9-abc", ".hoptim-check-abc", "odd\x1b[2J\udcff"):
        (folder / name).touch()
    assert {kind for kind, _ in found(folder, "note")} == {"unknown-name", "kept-aside", "directory-test"}
    assert str(check(folder)).isascii()
    assert "\x1b" not in str(check(folder))


# -- while others train --------------------------------------------------------------------------------


def test_a_running_study_shows_no_error_in_fifty_checks(tmp_path):
    """Four busy workers: nothing that they change meanwhile is taken for damage."""
    folder, acks = tmp_path / "study", tmp_path / "acks"
    acks.mkdir()
    workers = [run("train.py", folder, acks, STEPS="100000", PAUSE="0") for _ in range(4)]
    try:
        wait_until(lambda: (folder / "study.json").exists() and len(acknowledged(acks)) > 8)
        told, looks = len(acknowledged(acks)), []

        def fifty_looks() -> bool:
            looks.append(check(folder))
            assert looks[-1].of("error") == [], str(looks[-1])
            return len(looks) >= 50 and len(acknowledged(acks)) >= told + 50

        wait_until(fifty_looks, 60)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert repair(folder).ok


def test_a_checkpoint_dropped_during_the_look_is_not_missing(folder, monkeypatch, unlocked):
    """What was recorded when the journal was read, and dropped since, is looked up again."""
    path, listed = checkpoint_of(folder), []
    real = Checkpoints.is_there

    def is_there(self: Checkpoints, name: str) -> bool:
        if name == path.name and not listed:
            listed.append(name)
            append(folder, {"op": "extend", "steps": 9, "drops": [int(path.name.split(".")[0])]})
            path.unlink()
        return bool(real(self, name))

    monkeypatch.setattr(Checkpoints, "is_there", is_there)
    assert found(folder) == []
    assert listed


def test_a_checkpoint_written_during_the_look_is_not_spare(folder, monkeypatch):
    """What came after the look began belongs to a claim that came after it too."""
    real = contents.listing

    def listing(folder: Path) -> contents.Listing:
        names: contents.Listing = real(folder)
        (folder / "checkpoints" / "99.999").touch()
        return names

    monkeypatch.setattr(contents, "listing", listing)
    assert found(folder, "error", "leftover") == []


def test_an_append_under_way_is_waited_for(folder, monkeypatch):
    """A torn tail without the lock is looked at again under it, when its writer is done."""
    lines = lines_of(folder)
    write(folder, [*lines[:-1], lines[-1][:-9]])
    real = lock.StudyLock.acquire

    def acquire(self: lock.StudyLock, timeout: float | None) -> None:
        real(self, timeout)
        write(folder, lines)

    monkeypatch.setattr(lock.StudyLock, "acquire", acquire)
    assert check(folder).findings == ()


def test_a_journal_made_shorter_meanwhile_is_read_from_the_front(folder, monkeypatch):
    """A look goes on where the last one ended, and starts anew when those bytes are gone."""
    lines = lines_of(folder)
    checkpoint_of(folder).unlink()
    real = lock.StudyLock.acquire

    def acquire(self: lock.StudyLock, timeout: float | None) -> None:
        real(self, timeout)
        write(folder, lines[:-4])

    monkeypatch.setattr(lock.StudyLock, "acquire", acquire)
    assert check(folder).records == len(lines) - 4


def test_without_the_lock_only_what_stays_is_an_error(folder):
    """When the lock cannot be had, that is said, and damage is still found."""
    checkpoint_of(folder).unlink()
    holder = run("hold.py", folder)
    assert holder.stdout.readline() == "held\n"
    report = check(folder, timeout=0.1)
    holder.kill()
    holder.communicate()
    assert [f.kind for f in report.findings] == ["missing-checkpoint", "not-locked"]


def test_without_the_lock_what_passes_is_no_error(folder, monkeypatch):
    """What only one of two looks without the lock sees may be the work of a process that runs."""
    first, second = sorted(p for p in (folder / "checkpoints").iterdir() if p.name[0] != ".")[:2]
    first.rename(folder / "moved")

    def acquire(self: lock.StudyLock, timeout: float | None) -> None:
        (folder / "moved").rename(first)
        second.unlink()
        raise hoptim.LockTimeout("It is held.")

    monkeypatch.setattr(lock.StudyLock, "acquire", acquire)
    assert [f.kind for f in check(folder).findings] == ["not-locked"]


def test_a_report_is_plain_json(folder):
    """What a report says can be sent and read by programs."""
    litter(folder)
    write(folder, flipped(lines_of(folder), 5, 20))
    told = json.loads(json.dumps(check(folder).to_json()))
    assert (told["ok"], told["findings"][0]["kind"]) == (False, "damaged-line")
    assert told["findings"][0]["where"]["line"] == 6
    assert {"level", "kind", "path", "where", "what", "repair"} == told["findings"][0].keys()
