"""A checkpoint that somebody evaluates stays until he is done, whoever trains meanwhile."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

import hoptim
from hoptim.store import file_signs
from tests.builders import ROOT, advance, saving, study

TRAINER = """
import sys, hoptim
from tests.builders import advance
study = hoptim.load(sys.argv[1])
for line in sys.stdin:
    advance(study)
    print("advanced", flush=True)
"""


@pytest.fixture(params=["memory", "files"])
def made(request, tmp_path):
    """A study whose first generation has checkpoints, and one of them is neither the best nor pinned."""
    made = study(None if request.param == "memory" else tmp_path / "s", size=2, steps=9)
    advance(made)
    return made


def worst(made):
    """The finished trial with the worst value."""
    return max(made.trials, key=lambda trial: trial.value)


def test_a_pinned_checkpoint_stays_while_another_process_trains(tmp_path):
    """No process drops it, however far the study goes; once it is released, the next tell does."""
    made = study(tmp_path / "s", size=2, steps=9)
    advance(made)
    pinned = worst(made)
    trainer = subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(made.path)], text=True, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip

    def train_elsewhere():
        trainer.stdin.write("\n")
        trainer.stdin.flush()
        assert trainer.stdout.readline() == "advanced\n"

    with hoptim.load(made.path).pin(pinned) as path:
        for _ in range(4):
            train_elsewhere()
        assert path == pinned.checkpoint == made.trials[pinned.number].checkpoint
        assert Path(path).read_text() == str(pinned.number)
    train_elsewhere()
    assert not Path(path).exists()
    assert made.trials[pinned.number].checkpoint is None
    trainer.communicate()
    assert trainer.returncode == 0
    assert made.check().ok


def test_in_one_process_too(made):
    """Also in memory, and by number; two pins of one trial both have to be released."""
    pinned = worst(made)
    with made.pin(pinned.number) as path:
        with made.pin(pinned) as again:
            advance(made)
        for _ in range(3):
            advance(made)
        assert path == again
        assert Path(path).read_text() == str(pinned.number)
    advance(made)
    assert not Path(path).exists()


def test_the_best_is_pinned_unless_another_is_named(made):
    """The best is that of the moment at which the block begins."""
    waiting = made.pin()
    advance(made)
    best = made.best
    with waiting as path:
        assert path == best.checkpoint


def test_what_is_not_there_cannot_be_pinned(made):
    """What was dropped, failed, never finished, or never had a checkpoint is named with what to do."""
    dropped = worst(made)
    for _ in range(3):
        advance(made)
    failed = made.ask()
    failed.tell(float("nan"))
    for trial, kind, message in [
        (dropped, hoptim.CheckpointError, rf"Trial {dropped.number} has no checkpoint any more.*keep="),
        (failed.number, hoptim.CheckpointError, "has no checkpoint, since it failed"),
        (99, hoptim.ArgumentError, "trial must be a finished trial or its number, found 99"),
        ("best", hoptim.ArgumentError, "trial must be a finished trial or its number, found 'best'"),
    ]:
        with pytest.raises(kind, match=message), made.pin(trial):
            pass


def test_a_stateless_study_has_nothing_to_pin():
    """Before the first value there is no best, and after it no checkpoint."""
    made = study(None)
    with pytest.raises(hoptim.NoResult), made.pin():
        pass
    made.ask().tell(0.5)
    with pytest.raises(hoptim.CheckpointError, match="like all of this study"), made.pin():
        pass


def test_an_error_within_the_block_passes_and_releases(made):
    """The pin goes whatever happens to the evaluation."""
    pinned = worst(made)
    with pytest.raises(ZeroDivisionError), made.pin(pinned) as path:
        raise ZeroDivisionError
    for _ in range(3):
        advance(made)
    assert not Path(path).exists()


def test_a_pin_that_did_not_hold_is_noticed_at_the_end(tmp_path):
    """Who was taken for dead may have read half a checkpoint, and hears of it."""
    made = study(tmp_path / "s")
    made.ask().tell(0.5, save=saving("x"))
    with pytest.raises(hoptim.CheckpointError, match="were removed"), made.pin():
        (pin,) = (tmp_path / "s" / "pins").iterdir()
        pin.unlink()


def test_a_checkpoint_that_somebody_removed_is_named(tmp_path):
    """What is recorded and not there is an error before the block, with the command that lists it."""
    made = study(tmp_path / "s")
    made.ask().tell(0.5, save=saving("x"))
    Path(made.best.checkpoint).unlink()
    with pytest.raises(hoptim.CheckpointError, match="hoptim did not remove it"), made.pin():
        pass
    assert list((tmp_path / "s" / "pins").iterdir()) == []


@pytest.mark.parametrize("cause", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_who_may_not_write_is_told_how_to_copy(tmp_path, monkeypatch, cause):
    """A pin is a file, so whoever may only read gets the command that copies a checkpoint."""
    made = study(tmp_path / "s")
    made.ask().tell(0.5, save=saving("x"))

    def refuse(*_, **__):
        raise OSError(cause, "no")

    monkeypatch.setattr(file_signs, "write_new", refuse)
    with pytest.raises(hoptim.StoreError) as caught, made.pin():
        pass
    assert ("hoptim export-checkpoint DIR --best -o FOLDER" in str(caught.value)) == (cause != errno.ENOSPC)
    assert caught.value.errno == cause


def test_a_dropped_trial_without_a_value_has_not_failed(tmp_path):
    """Asked for its checkpoint, the error says that it is gone, not that the trial failed."""
    made = study(tmp_path / "s", size=1, steps=3)
    for trial in made:
        trial.advance(save=saving(str(trial.params)))
    with pytest.raises(hoptim.CheckpointError, match="Trial 0 has no checkpoint any more"), made.pin(0):
        pass
