"""One member trained by several processes, and hyperparameters in a torch optimizer."""

import importlib
import json
import signal
import sys
import time
from collections import Counter

import pytest

import hoptim
from tests.builders import recompute, records, run, study, wait_until

WITHOUT_TORCH = "the extra hoptim[torch] is not installed"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What each of two ranks saw in a scene of `tests/torch_scenes.py`, by its name."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    folder = tmp_path_factory.mktemp("scenes")
    end(*[run("torch_scenes.py", folder, rank, PYTHONWARNINGS="error") for rank in range(2)])
    ranks = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return lambda scene: [rank[scene] for rank in ranks]


def end(*processes):
    """Wait for processes that should end well; if one does not, none is left behind."""
    try:
        for process in processes:
            errors = process.communicate(timeout=120)[1]
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()


def job(folder, name, *hold):
    """Two ranks that work on the study in a folder; what they see goes to a folder of the job's name."""
    (out := folder / name).mkdir()
    return [
        run("torch_job.py", folder / "study", out / "meet", rank, out, *hold, PYTHONWARNINGS="error")
        for rank in range(2)
    ]


def lines(folder, name, rank):
    """What a rank of a job saw of each trial that it told."""
    return [json.loads(line) for line in (folder / name / f"rank{rank}.jsonl").read_text().splitlines()]


def assert_trained_once(folder):
    """Each step of both members was told once; nothing is wrong in the directory; no decision differs."""
    asked = {r["trial"]: (r["member"], r["step"]) for r in records(folder / "study") if "member" in r}
    told = Counter(asked[r["trial"]] for r in records(folder / "study") if r["op"] == "tell")
    assert told == {(member, step): 1 for member in range(2) for step in range(4)}
    assert hoptim.load(folder / "study").check().ok
    assert recompute(folder / "study") == 8


def test_two_jobs_of_two_ranks_share_a_study(tmp_path):
    """Four processes: on both ranks of a job the trials are the same, and each step is trained once."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    end(*job(tmp_path, "a"), *job(tmp_path, "b"))
    assert_trained_once(tmp_path)
    both = [lines(tmp_path, name, 0) for name in "ab"]
    assert both == [lines(tmp_path, name, 1) for name in "ab"]
    assert sorted(number for line in both for number, *_ in line) == list(range(8))


@pytest.mark.parametrize("victim", [0, 1])
def test_a_job_whose_rank_is_killed_is_started_again(tmp_path, victim):
    """The other rank ends by itself; started again, the job goes on from both shards where it was."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    hold = tmp_path / "hold"
    hold.touch()
    ranks = job(tmp_path, "killed", hold)
    wait_until(lambda: all(hold.with_suffix(f".{rank}").exists() for rank in range(2)), 120)
    number = int(hold.with_suffix(f".{victim}").read_text())
    ranks[victim].kill()
    hold.unlink()
    for rank in ranks:
        wait_until(lambda rank=rank: rank.poll() is not None, 120)
        rank.communicate()
    assert ranks[victim].returncode == -signal.SIGKILL
    assert ranks[1 - victim].returncode not in (0, -signal.SIGKILL)
    end(*job(tmp_path, "again"))
    assert_trained_once(tmp_path)
    assert hoptim.load(tmp_path / "study").trials[number].interruptions == 1
    again = [lines(tmp_path, "again", rank) for rank in range(2)]
    assert again[0] == again[1]
    number, *_, continues = again[0][0]
    assert not continues


def test_an_exception_on_one_rank_ends_the_attempt_on_all(seen):
    """It passes on its own rank, the other hears of it when it tells, and both get the next attempt."""
    other, raiser = seen("an_exception_on_one_rank")
    assert raiser == ["0.1", "ValueError: bad shard", "0.2", "1.1"]
    assert other == [raiser[0], other[1], *raiser[2:]]
    assert other[1].startswith("TrialError: Trial 0 was not told")
    assert other[1].endswith("on rank 1 it failed: ValueError: bad shard.")


def test_a_failure_counts_from_any_rank(seen):
    """One rank's failure ends the trial; of two the first one's reason is recorded, and it counts once."""
    teller, failer = seen("a_failure_told_by_one_rank")
    assert teller[0].endswith("on rank 1 it failed: no good on 1.")
    assert failer[:2] == ["failed", "failed"] == [failer[0], teller[1]]
    assert teller[2] == failer[2]
    assert teller[2].startswith("StudyFailed: The last trial of every member failed for good: no good on")


def test_a_lost_claim_is_lost_on_all_ranks(seen):
    """With `with trial:` all go on to the trial's next claim; an exception still passes."""
    told = ["0 by claim 1", "0 by claim 3 told", "1 by claim 5", "1 by claim 7 told"]
    assert seen("a_lost_claim") == [told, told]


def test_errors_of_rank_0_are_raised_everywhere(seen):
    """Those that keep the claim keep it on all ranks; rank 0's value and checkpoint count."""
    first, second = seen("errors_that_keep_the_claim")
    assert first[0] == "OSError: [Errno 28] No space left on device"
    assert second[0] == f"TrialError: Rank 0 raised {first[0]}"
    assert second[1:] == first[1:]
    kinds = [text.split(":")[0] for text in first[1:]]
    assert kinds == ["NotApplied", "AlreadyTold", "NoCheckpoint", "AlreadyTold", "1.0 rank 0"]


def test_a_field_counts_as_read_on_any_rank(seen):
    """What no rank has read is refused on all of them; once one has, all tell the trial."""
    told = ["False NotApplied", "False NotApplied", "True NoneType", "False NotApplied"]
    assert seen("fields_that_one_rank_reads") == [told, told]


def test_a_loop_that_is_left_hands_its_trial_back(seen):
    """The next loop is given the same trial by a new claim, on all ranks."""
    assert seen("a_loop_that_is_left") == [["0 by claim 1", "0 by claim 3", "1 by claim 5"]] * 2


def test_ranks_wait_together(seen):
    """While nothing is due rank 0 looks again and again, and the others never ask."""
    assert seen("a_wait") == [["True", "0"], ["False", "0"]]


def test_ranks_must_open_the_same_study(seen):
    """Different directories, and studies in memory, are refused on all ranks."""
    assert seen("studies_that_differ") == [["ArgumentError"] * 2] * 2


def test_a_group_of_one_rank_has_the_loop_of_the_study(seen):
    """It gives plain trials; a group that this process is not in is refused."""
    for *kinds, refused in seen("groups_of_one"):
        assert kinds == ["Trial", "Trial"]
        assert refused.startswith("ArgumentError: This process is not in group=")


def test_a_copy_that_was_pickled_is_told_alone(seen):
    """It waits for no rank."""
    assert seen("a_copy_sent_away") == [["2.0"]] * 2


def test_told_by_rank_0_alone_is_said_by_the_other(seen):
    """The rank that did not tell names the mistake; rank 0 is not left waiting once it has ended."""
    waited, said = seen("told_by_rank_0_alone")
    assert waited == ["RuntimeError"]
    assert "NotTold" in said[0]
    assert "Every rank must call trial.tell(value), not rank 0 alone" in said[0]


def test_the_extra_is_named_when_torch_is_missing(monkeypatch):
    """Without torch the message says what to install."""
    for name in [name for name in sys.modules if name.startswith("hoptim.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(hoptim.MissingExtra, match=r"pip install -e '\.\[torch\]'"):
        importlib.import_module("hoptim.torch")


def test_a_deadline_ends_the_loop_before_it():
    """No trial is handed out that would end too late."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    trials = importlib.import_module("hoptim.torch").trials
    assert list(trials(study(None), deadline=time.time() - 1)) == []
    handed = [trial.tell(1.0) for trial in trials(study(None), deadline=time.time() + 1e6)]
    assert len(handed) == 20


def test_without_a_process_group_the_loop_is_the_studys():
    """A script for many processes runs in one as it is."""
    pytest.importorskip("torch", reason=WITHOUT_TORCH)
    trials = importlib.import_module("hoptim.torch").trials
    made = study(None)
    for trial in trials(made):
        assert type(trial) is hoptim.Trial
        trial.tell(trial.params["x"])
    assert made.done
