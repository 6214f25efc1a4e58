"""Checkpoints that somebody removed or cut short: others take their place, or it is said how to go on."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

import hoptim
from hoptim.errors import StoreError
from hoptim.store.check.repair import repair
from hoptim.store.checkpoints import Checkpoints
from tests.builders import loss, recompute, records, saving, study, train
from tests.golden.make import FORMATS


def begun(folder, until=9, **changes):
    """A study after some trials, and the files of its checkpoints by trial."""
    made = study(folder, optimizer=hoptim.TruncationSelection(burn_in=0), **changes)
    for _ in range(until):
        trial = made.ask()
        trial.tell(loss(trial), save=saving("weights"))
    return made, {t.number: Path(t.checkpoint) for t in made.trials if t.checkpoint}


def best_of(made):
    """The number of the trial that others will continue from."""
    level = {t.member: t for t in made.trials}
    return min(level.values(), key=lambda t: t.value).number


def marked(folder):
    """The trials that the journal says are lost, per record."""
    return [record["drops"] for record in records(folder) if record["op"] == "drop"]


def damages(path):
    """What a purge and a thread that still writes do to a file."""
    return {
        "gone": path.unlink,
        "cut": lambda: path.write_text("wei"),
        "grown": lambda: path.write_text("w" * 99),
    }


@pytest.mark.parametrize("what", ["gone", "cut", "grown"])
def test_the_next_best_takes_its_place(tmp_path, caplog, what):
    """A study whose best checkpoint is lost goes on to its end; nothing continues from it any more."""
    made, files = begun(tmp_path / "s", steps=6)
    lost = best_of(made)
    damages(files[lost])[what]()
    while (trial := made.ask()) is not None:
        assert trial.parent != lost
        assert trial.checkpoint is None or Path(trial.checkpoint).read_text() == "weights"
        trial.tell(loss(trial), save=saving("weights"))
    said = [record.getMessage() for record in caplog.records]
    assert [f"[{lost}]" in text for text in said if "marked as lost" in text] == [True]
    assert marked(tmp_path / "s") == [[lost]]
    assert recompute(tmp_path / "s") == len(made.trials)
    assert made.check().findings == ()
    failed = [t.failed for t in made.trials if t.failed is not None]
    assert len(failed) <= 1  # a trial that was proposed before it was known


def test_one_that_is_gone_costs_no_trial(tmp_path):
    """Before a trial is proposed it is known, so that no trial fails for it."""
    made, files = begun(tmp_path / "s")
    files[best_of(made)].unlink()
    train(made, saves=True)
    assert [t for t in made.trials if t.failed is not None] == []


def test_a_trial_that_was_proposed_before_fails(tmp_path):
    """A trial whose parent's checkpoint went before it was handed out again ends as failed."""
    made, files = begun(tmp_path / "s")
    trial = made.ask()
    trial.release()
    files[trial.parent].unlink()
    again = made.ask()
    assert again.number != trial.number
    found = {t.number: t for t in made.trials}[trial.number]
    assert found.failed == f"the checkpoint of its parent, trial {trial.parent}, was lost"
    assert hoptim.load(tmp_path / "s").check().ok


def test_a_loop_goes_on(tmp_path):
    """In a plain loop, which claims its next trial along with a tell, nothing is to be done about it."""
    made, files = begun(tmp_path / "s")
    lost = best_of(made)
    for trial in made:
        if lost in files:
            files.pop(lost).unlink()
        trial.tell(loss(trial), save=saving("weights"))
    assert made.done


def test_when_all_are_gone_it_is_said_how_to_go_on(tmp_path):
    """Nothing is marked when nothing is left: restored files are found again; a repair begins afresh."""
    made, files = begun(tmp_path / "s")
    shutil.copytree(tmp_path / "s" / "checkpoints", tmp_path / "copy")
    for path in files.values():
        path.unlink()
    for _ in range(2):
        with pytest.raises(hoptim.StudyDamaged, match=r"Restore them from a copy; or run `hoptim check"):
            made.ask()
    shutil.copytree(tmp_path / "copy", tmp_path / "s" / "checkpoints", dirs_exist_ok=True)
    made.ask().tell(0.5, save=saving("weights"))
    for trial in made.trials:
        if trial.checkpoint:
            Path(trial.checkpoint).unlink()
    assert marked(tmp_path / "s") == []
    assert repair(tmp_path / "s").ok
    trial = made.ask()
    assert (trial.parent, trial.age) == (None, 0)


def test_a_repair_marks_what_is_lost(tmp_path):
    """`check` finds what is missing and what changed; a repair says so in the journal, once."""
    made, files = begun(tmp_path / "s")
    gone, *_, same, changed = files
    files[gone].unlink()
    files[changed].write_text("WEIGHTS")  # as long as before
    found = made.check()
    assert {(f.kind, f.repair) for f in found.findings} == {
        ("missing-checkpoint", "marked as lost"), ("changed-checkpoint", "marked as lost"),
    }  # fmt: skip
    after = repair(tmp_path / "s")
    assert marked(tmp_path / "s") == [[gone, changed]]
    assert after.ok
    assert files[same].exists()
    train(made, saves=True)
    assert made.check().ok


def test_format_1_says_how_to_go_on(tmp_path):
    """It has no record for it: the error names what is missing, and the study is as it was."""
    made = hoptim.load(shutil.copytree(FORMATS[1] / "stateful", tmp_path / "s"))
    missing = best_of(made)
    shutil.rmtree(tmp_path / "s" / "checkpoints")
    with pytest.raises(hoptim.StudyDamaged, match=r"hoptim\.fork"):
        for _ in range(9):
            made.ask()
    assert missing in {t.number for t in made.trials}
    assert marked(tmp_path / "s") == []


def test_a_look_costs_one_call(tmp_path, monkeypatch):
    """Of a single file the status alone is read, and never its bytes."""
    made, _ = begun(tmp_path / "s")
    monkeypatch.setattr(Checkpoints, "is_unchanged", None)
    assert made.ask().parent is not None


def test_a_checkpoint_that_cannot_be_looked_at_is_not_lost(tmp_path, monkeypatch):
    """Where it is kept is away for a moment: trials are handed out, and go on from it afterwards."""
    made, _ = begun(tmp_path / "s", steps=6)
    away = [True]

    def looked_at(self: Checkpoints, name: str) -> bool:
        if away:
            away.pop()
            raise StoreError(errno.ETIMEDOUT, "away")
        return True

    monkeypatch.setattr(Checkpoints, "is_there", looked_at)
    trial = made.ask()
    assert away == []
    assert Path(trial.checkpoint).read_text() == "weights"
    assert marked(tmp_path / "s") == []
