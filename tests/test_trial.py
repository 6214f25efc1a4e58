"""The trial in hand: checking, ending, travelling."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest

import hoptim
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    CheckpointError,
    ClaimLost,
    NoCheckpoint,
    NotApplied,
)
from hoptim.store.journal import FileJournal
from tests.builders import append, loss, records, saving, study, train


@pytest.fixture(params=["memory", "files"])
def made(request, tmp_path):
    """A small study, in memory and in a directory."""
    return study(None if request.param == "memory" else tmp_path / "s")


def test_fields_are_plain_values(made):
    """A first trial has plain fields: numbers, no parent, no checkpoint, its own params and seed."""
    trial = made.ask()
    assert (trial.number, trial.member, trial.step, trial.age, trial.attempt) == (0, 0, 0, 0, 1)
    assert (trial.parent, trial.checkpoint, trial.continues) == (None, None, False)
    assert [type(v) for v in trial.params.values()] == [float, int]
    assert type(trial.seed) is int


@pytest.mark.parametrize(
    "value", [1, 2.5, np.float32(0.5), np.array(3.0), True, float("inf"), float("-inf")]
)
def test_values_of_any_library_are_taken_as_numbers(made, value):
    """Whatever float() takes is a value, and comes back as a plain float."""
    made.ask().tell(value)
    (told,) = made.trials
    assert type(told.value) is float
    assert told.value == float(value)


@pytest.mark.parametrize("value", ["1.0", None, [1.0], object(), np.array([1.0, 2.0]), 1j])
def test_what_is_no_number_is_refused_and_the_claim_kept(made, value):
    """A value that is no number raises, and the trial can still be told."""
    trial = made.ask()
    with pytest.raises(ArgumentError, match="Trial 0: the value must be a number"):
        trial.tell(value)
    trial.tell(1.0)
    assert [t.value for t in made.trials] == [1.0]


def test_metrics_are_recorded_finite_or_not(made):
    """Metrics come back as floats, also those that JSON has no number for."""
    made.ask().tell(1.0, metrics={"accuracy": np.float32(0.5), "ratio": math.inf, "none": math.nan})
    metrics = made.trials[0].metrics
    assert (metrics["accuracy"], metrics["ratio"]) == (0.5, math.inf)
    assert math.isnan(metrics["none"])


def test_check_passes_what_is_in_force(made):
    """Values equal up to a relative 1e-6 pass, of any numeric type and any subset."""
    trial = made.ask()
    trial.check(x=trial.params["x"])
    trial.check(x=np.float32(trial.params["x"]), k=np.int64(trial.params["k"]))
    trial.check(x=trial.params["x"] * (1 + 9e-7))
    trial.check()


class Tensor:
    """A number of a library that is not numpy, with a type of low precision."""

    def __init__(self, value, dtype):
        self.value, self.dtype, self.ndim = value, dtype, 0

    def __float__(self):
        return self.value


def half(value):
    """A number rounded to bfloat16: the upper half of its float32."""
    bits = np.float32(value).view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)
    return float(bits.view(np.float32))


@pytest.mark.parametrize("asked", [0.1, 1e-3, 3e-5, 7e-6, 0.9999, 12345.678])
def test_check_allows_the_rounding_of_low_precision(asked):
    """A value of type float16 or bfloat16, of any library, passes if it is the asked one as rounded."""
    trial = hoptim.Study(
        None, space={"x": hoptim.Float(0.0, 2e4)}, size=1, steps=1, mode="min", start=[{"x": asked}]
    ).ask()
    trial.check(x=np.float16(asked))
    trial.check(x=np.array(asked, dtype=np.float16))
    trial.check(x=np.float32(asked))
    trial.check(x=Tensor(float(np.float16(asked)), "torch.float16"))
    trial.check(x=Tensor(half(asked), "torch.bfloat16"))
    for wrong in (
        np.float16(asked * 1.05), Tensor(half(asked * 1.05), "torch.bfloat16"), np.float32(asked * 1.00001),
        Tensor(0.0, "torch.float16"), Tensor(asked * 1.001, "torch.float64"), np.float16(np.nan),
    ):  # fmt: skip
        with pytest.raises(NotApplied):
            trial.check(x=wrong)


def test_check_names_what_differs(made):
    """Each value that is not in force is named with what was found and what was asked for."""
    trial = made.ask()
    with pytest.raises(NotApplied, match=rf"x is 0\.123, asked for {trial.params['x']}") as caught:
        trial.check(x=0.123, k=trial.params["k"])
    assert "; k is" not in str(caught.value)
    with pytest.raises(NotApplied):
        trial.check(x=trial.params["x"] * (1 + 1e-5))
    with pytest.raises(NotApplied):
        trial.check(k="many")
    with pytest.raises(ArgumentError, match="momentum"):
        trial.check(momentum=0.9)


def test_tell_checks_params_and_keeps_the_claim(made):
    """tell(params=) refuses values that differ, records nothing, and can be repeated."""
    trial = made.ask()
    with pytest.raises(NotApplied):
        trial.tell(1.0, params={"k": trial.params["k"] + 1})
    assert made.trials == []
    trial.tell(1.0, params={"k": trial.params["k"]})
    assert len(made.trials) == 1


def test_telling_twice_is_an_error(made):
    """A trial that was told, failed or released cannot be ended again, and nothing changes."""
    trial = made.ask()
    trial.tell(1.0)
    for again in (lambda: trial.tell(2.0), lambda: trial.fail("x"), lambda: trial.draft):
        with pytest.raises(AlreadyTold, match="Trial 0 has been told already"):
            again()
    assert [t.value for t in made.trials] == [1.0]


def test_a_stateful_study_wants_a_checkpoint_with_every_finite_value(made):
    """Without one the tell is refused, the claim kept; a value that is not finite needs none."""
    made.ask().tell(1.0, save=saving("a"))
    trial = made.ask()
    with pytest.raises(NoCheckpoint, match="The claim is kept"):
        trial.tell(2.0)
    trial.tell(2.0, save=saving("b"))
    made.ask().tell(math.nan)
    assert [t.checkpoint is not None for t in made.trials] == [True, True, False]


def test_a_stateless_study_takes_no_checkpoint(made):
    """A checkpoint that others could not rely on is refused, and nothing of it is left."""
    made.ask().tell(1.0)
    trial = made.ask()
    with pytest.raises(CheckpointError, match="first value came without one"):
        trial.tell(2.0, save=saving("a"))
    assert list(trial.draft.parent.iterdir()) == []
    trial.tell(2.0)


def test_a_value_that_is_not_finite_saves_nothing(made):
    """The checkpoint of a failed trial is not published; save is not even called."""
    made.ask().tell(1.0, save=saving("a"))
    trial = made.ask()
    folder = trial.draft.parent
    trial.tell(math.inf, save=lambda path: pytest.fail("save was called"))
    assert [path.name for path in folder.iterdir()] == ["0." + made_token(made, 0)]


def made_token(made, number):
    """The token in the name of a checkpoint."""
    return Path(made.trials[number].checkpoint).name.split(".")[1]


def test_a_save_that_raises_keeps_the_claim(made):
    """An exception of save passes through; the trial can be told again and nothing is left behind."""
    trial = made.ask()

    def broken(path):
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        trial.tell(1.0, save=broken)
    trial.tell(1.0, save=saving("whole"))
    assert Path(made.trials[0].checkpoint).read_text() == "whole"
    assert len(list(Path(made.trials[0].checkpoint).parent.iterdir())) == 1


def test_a_draft_may_be_written_by_anyone(made):
    """What was written to trial.draft is published by checkpoint=trial.draft, and only that."""
    trial = made.ask()
    with pytest.raises(CheckpointError, match="none is at"):
        trial.tell(1.0, checkpoint=trial.draft)
    trial.draft.mkdir()
    (trial.draft / "rank0").write_text("a")
    with pytest.raises(CheckpointError, match=r"must be trial\.draft"):
        trial.tell(1.0, checkpoint="/elsewhere")
    with pytest.raises(ArgumentError, match="either save or checkpoint"):
        trial.tell(1.0, save=saving("a"), checkpoint=trial.draft)
    trial.tell(1.0, checkpoint=str(trial.draft))
    assert (Path(made.trials[0].checkpoint) / "rank0").read_text() == "a"


def test_a_child_finds_its_parents_checkpoint(made):
    """Every trial with a parent has the path of exactly the parent's checkpoint, whole."""
    for trial in made:
        if trial.parent is None:
            assert trial.checkpoint is None
        else:
            assert Path(trial.checkpoint).read_text() == f"of {trial.parent}"
        trial.tell(loss(trial), save=saving(f"of {trial.number}"))


def test_failures_are_retried_and_then_final(made):
    """The same trial comes again with a higher attempt, until the third failure ends it as NaN."""
    seen = []
    for _ in range(3):
        trial = made.ask()
        seen.append((trial.number, trial.params, trial.seed, trial.attempt))
        trial.fail("out of memory")
    first = seen[0]
    assert seen == [(*first[:3], attempt) for attempt in (1, 2, 3)]
    (ended,) = made.trials
    assert (ended.failed, ended.attempt, math.isnan(ended.value)) == ("out of memory", 3, True)
    assert made.ask().number == 1


def test_a_failure_without_retry_is_final_at_once(made):
    """fail(retry=False) ends the trial; its member goes on with the next step."""
    made.ask().fail("diverged", retry=False)
    assert [(t.number, t.failed) for t in made.trials] == [(0, "diverged")]


def test_an_exception_in_a_with_block_is_a_failed_attempt(made):
    """`with trial:` records what left the block and lets it pass; an interrupt only releases."""
    trial = made.ask()
    with pytest.raises(ZeroDivisionError), trial:
        raise ZeroDivisionError("x / 0")
    trial = made.ask()
    assert (trial.number, trial.attempt) == (0, 2)
    with pytest.raises(KeyboardInterrupt), trial:
        raise KeyboardInterrupt
    trial = made.ask()
    assert (trial.number, trial.attempt) == (0, 2)
    trial.tell(1.0)
    assert (made.trials[0].interruptions, made.trials[0].attempt) == (1, 2)


def test_a_with_block_that_told_before_it_raised_stays_told(made):
    """An exception after the tell passes without changing what was told."""
    with pytest.raises(ValueError, match="later"), made.ask() as trial:
        trial.tell(1.0)
        raise ValueError("later")
    assert [t.value for t in made.trials] == [1.0]


def lose(path, trial):
    """Let another worker take a trial back."""
    append(path, {"op": "reclaim", "trial": trial.number, "token": trial.token, "final": False})


def test_a_lost_claim_is_refused_and_its_checkpoint_goes(tmp_path):
    """A late tell raises ClaimLost, records nothing and leaves no file; the next ask works."""
    made = study(tmp_path / "s")
    trial = made.ask()
    lose(tmp_path / "s", trial)
    before = len(records(tmp_path / "s"))
    with pytest.raises(ClaimLost, match="given to another worker"):
        trial.tell(1.0, save=saving("late"))
    assert len(records(tmp_path / "s")) == before
    assert list((tmp_path / "s" / "checkpoints").glob("*")) == []
    again = made.ask()
    assert (again.number, again.token > trial.token, again.params) == (0, True, trial.params)


@pytest.mark.parametrize("ending", ["tell", "fail"])
def test_an_ending_that_arrived_and_raised_is_not_failed_too(tmp_path, monkeypatch, ending):
    """In a with block the error of an append that did arrive passes as it is; the ending stays."""
    made, real = study(tmp_path / "s"), FileJournal.append

    def late(self, records, wakes):
        real(self, records, wakes)
        monkeypatch.setattr(FileJournal, "append", real)
        raise hoptim.StoreError(5, "Could not close the journal")

    with pytest.raises(hoptim.StoreError, match="close"), made.ask() as trial:
        monkeypatch.setattr(FileJournal, "append", late)
        trial.tell(1.0) if ending == "tell" else trial.fail("it broke", retry=False)
    (found,) = made.trials
    assert (found.failed, math.isnan(found.value)) == (
        (None, False) if ending == "tell" else ("it broke", True)
    )


def test_a_claim_lost_while_saving_publishes_nothing(tmp_path):
    """A zombie that saved after its trial was taken removes its own file and nobody else's."""
    made = study(tmp_path / "s")
    trial = made.ask()

    def slow(path):
        Path(path).write_text("late")
        lose(tmp_path / "s", trial)

    with pytest.raises(ClaimLost):
        trial.tell(1.0, save=slow)
    assert list((tmp_path / "s" / "checkpoints").iterdir()) == []


def test_a_loop_goes_on_after_a_lost_claim(tmp_path, caplog):
    """In a with block a lost claim is said and no failure: the loop simply gets its next trial."""
    made, lost = study(tmp_path / "s", size=2, steps=2), []
    for trial in made:
        with trial:
            if trial.number == 1 and not lost:
                lost.append(trial)
                lose(tmp_path / "s", trial)
            trial.tell(loss(trial))
    assert made.done
    assert [t.attempt for t in made.trials] == [1] * 4
    assert "Trial 1 was given to another worker" in caplog.text


def test_a_trial_travels_as_plain_data(tmp_path):
    """A pickled trial has the same fields, is told from its copy, and is not handed out meanwhile."""
    made = study(tmp_path / "s")
    trial = made.ask()
    sent = pickle.dumps(trial)
    fields = (trial.number, trial.params, trial.seed, trial.token)
    del trial
    other = made.ask()
    copy = pickle.loads(sent)
    assert (copy.number, copy.params, copy.seed, copy.token) == fields
    assert other.number != copy.number
    copy.tell(1.5, save=saving("far away"))
    assert made.trials[0].value == 1.5


def test_a_trial_of_a_study_in_memory_says_that_it_cannot_be_told_elsewhere():
    """A copy from another process's memory is told where to send the value."""
    made = study(None)
    copy = pickle.loads(pickle.dumps(made.ask()))
    with pytest.raises(ArgumentError, match="send the value back"):
        copy.tell(1.0)


def test_a_trial_that_was_let_go_of_unread_is_handed_out_again(made):
    """An asked trial that nobody holds any more comes again, with the same claim."""
    token = made.ask().token
    assert made.ask().token == token


def test_scratch_is_one_folder_for_all_attempts(made):
    """What an attempt left in scratch is there for the next, and gone once the trial has ended."""
    trial = made.ask()
    (trial.scratch / "half").write_text("way")
    trial.fail("preempted")
    trial = made.ask()
    assert (trial.scratch / "half").read_text() == "way"
    folder = trial.scratch
    trial.tell(1.0)
    assert not folder.exists()


def test_the_coordinates_of_a_finished_trial_cannot_be_changed():
    """What is handed out of finished trials is frozen and does not reach into the study."""
    made = train(study(None))
    trial = made.trials[3]
    trial.params["x"] = 99.0
    with pytest.raises(AttributeError):
        trial.value = 0.0
    assert made.trials[3].params["x"] != 99.0
    assert isinstance(trial, hoptim.FinishedTrial)


def test_a_loop_goes_on_when_a_copy_was_told(tmp_path):
    """A trial that was sent away and told there is no untold one when the loop goes on."""
    made = study(tmp_path / "s", size=2, steps=2)
    for trial in made:
        pickle.loads(pickle.dumps(trial)).tell(loss(trial))
    assert len(made.trials) == 4
