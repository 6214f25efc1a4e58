"""One claim told by two: one of them is acknowledged, and what it saved stays."""

from __future__ import annotations

import math
import os
import pickle
import shutil
from pathlib import Path

import pytest

import hoptim
from hoptim import remote
from hoptim.store import checkpoint_folder
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.journal import FileJournal
from tests.builders import records, study
from tests.golden.make import FORMATS


@pytest.fixture(params=[1, 2])
def made(request, tmp_path):
    """A study of each format, whose next trial is asked with a checkpoint."""
    if request.param == 2:
        return study(tmp_path / "s")
    return hoptim.load(shutil.copytree(FORMATS[1] / "stateful", tmp_path / "s"))


def copies(trial):
    """Two copies of a trial, each of which opens the study for itself."""
    return [pickle.loads(pickle.dumps(trial)) for _ in range(2)]


def saving(text):
    """A save of a large file and a small one."""

    def save(path):
        Path(path).mkdir()
        (Path(path) / "weights").write_text(text * 1000)
        (Path(path) / "about").write_text(text)

    return save


def between(monkeypatch, what, name="seal"):
    """Have something done once, right after a draft was sealed or published."""
    real, waiting = getattr(Checkpoints, name), [what]

    def patched(self, *args):
        found = real(self, *args)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(Checkpoints, name, patched)


def require_whole(made, number, text):
    """Assert that a trial's checkpoint is there, alone, as it was saved."""
    found = Path(hoptim.load(made.path).trials[number].checkpoint)
    assert (found / "weights").read_text() == text * 1000
    assert [path.name for path in found.parent.glob(f"*{number}.*")] == [found.name]
    assert hoptim.load(made.path).check().findings == ()


@pytest.mark.parametrize("moment", ["write", "seal"])
def test_the_same_value_twice_is_acknowledged_twice(made, monkeypatch, moment):
    """Whoever comes second is acknowledged as well; the recorded checkpoint stays alone, and whole."""
    trial = made.ask()
    a, b = copies(trial)
    between(monkeypatch, lambda: b.tell(1.0, save=saving("b")), moment)
    a.tell(1.0, save=saving("a"))
    told = [r for r in records(made.path) if r["op"] == "tell" and r["trial"] == trial.number]
    assert len(told) == 1
    require_whole(made, trial.number, "b")


def test_the_second_one_comes_when_the_first_has_published(tmp_path, monkeypatch):
    """Between the publishing of a checkpoint and its tell there is room for another teller."""
    made = study(tmp_path / "s")
    trial = made.ask()
    a, b = copies(trial)
    between(monkeypatch, lambda: b.tell(1.0, save=saving("b")), "publish")
    a.tell(1.0, save=saving("a"))
    require_whole(made, trial.number, "b")


@pytest.mark.parametrize("ending", ["tell", "metrics", "fail"])
def test_another_word_for_the_same_claim_is_refused(made, ending):
    """A copy that says otherwise is told so, and nothing of the first one's is touched."""
    trial = made.ask()
    a, b = copies(trial)
    a.tell(1.0, save=saving("a"), metrics={"m": 2.0})
    with pytest.raises(hoptim.AlreadyTold, match=f"Trial {trial.number} has been told already"):
        if ending == "tell":
            b.tell(2.0, save=saving("b"), metrics={"m": 2.0})
        elif ending == "metrics":
            b.tell(1.0, save=saving("b"), metrics={"m": 3.0})
        else:
            b.fail("it broke")
    require_whole(made, trial.number, "a")
    assert [t.value for t in made.trials if t.number == trial.number] == [1.0]


def test_another_word_while_the_first_is_published(made, monkeypatch):
    """The first to be recorded counts, though the other one published before it."""
    trial = made.ask()
    a, b = copies(trial)
    between(monkeypatch, lambda: b.tell(2.0, save=saving("b")))
    with pytest.raises(hoptim.AlreadyTold):
        a.tell(1.0, save=saving("a"))
    require_whole(made, trial.number, "b")


def test_a_failure_is_said_once(made):
    """The same reason again is acknowledged, another one or a value is not."""
    trial = made.ask()
    (a, b), (c, _) = copies(trial), copies(trial)
    a.fail("it broke", retry=False)
    b.fail("it broke", retry=False)
    with pytest.raises(hoptim.AlreadyTold):
        c.fail("it burnt", retry=False)
    with pytest.raises(hoptim.AlreadyTold):
        pickle.loads(pickle.dumps(trial)).tell(1.0, save=saving("x"))


def test_nan_is_the_same_as_nan(made):
    """A value that is not finite is acknowledged again, too."""
    a, b = copies(made.ask())
    a.tell(math.nan, metrics={"m": math.nan})
    b.tell(math.nan, metrics={"m": math.nan})


def test_drafts_are_apart(made):
    """Each copy, and a forked child, has a draft of its own: half a draft is never published."""
    trial = made.ask()
    a, b = copies(trial)
    a.draft.write_bytes(b"a" * 1000)
    b.draft.write_bytes(b"b" * 10)  # and dies while it saves
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(write, os.fsencode(a.draft))
        os._exit(0)
    os.waitpid(pid, 0)
    assert len({os.fsdecode(os.read(read, 1000)), str(a.draft), str(b.draft), str(trial.draft)}) == 4
    a.tell(1.0, checkpoint=a.draft)
    assert Path(hoptim.load(made.path).trials[trial.number].checkpoint).read_bytes() == b"a" * 1000


def test_a_draft_may_be_told_by_another_copy(made):
    """What one process wrote another one of the same claim tells by its path, as ranks of one job do."""
    trial, other = made.ask(), made.ask()
    a, b = copies(trial)
    a.draft.write_text("of a")
    with pytest.raises(hoptim.CheckpointError, match=r"must be trial\.draft"):
        other.tell(1.0, checkpoint=a.draft)
    b.tell(1.0, checkpoint=a.draft)
    assert Path(hoptim.load(made.path).trials[trial.number].checkpoint).read_text() == "of a"


@pytest.mark.parametrize("moment", ["seal", "publish"])
def test_a_command_sent_again_meanwhile(made, monkeypatch, moment):
    """Two `hoptim tell` of one draft: both are acknowledged, at once or said again; nothing is lost."""
    asked = remote.ask(made.path)
    number, token = asked["number"], asked["token"]
    Path(asked["draft"]).write_text("weights")

    def tell():
        remote.tell(made.path, number, token, 1.0, checkpoint=asked["draft"])

    between(monkeypatch, tell, moment)
    try:
        tell()
    except hoptim.StoreError:
        tell()  # the draft went while it was published; said again, it is acknowledged
    assert Path(hoptim.load(made.path).trials[number].checkpoint).read_text() == "weights"
    assert hoptim.load(made.path).check().findings == ()


def test_a_hundred_pairs_of_processes(made):
    """Pairs that tell the same claim at once, for real: never is an acknowledged checkpoint gone."""
    for _ in range(25):
        trial = made.ask()
        if trial is None:
            break
        pair = []
        for copy, text in zip(copies(trial), "ab", strict=True):
            if (pid := os.fork()) == 0:
                try:
                    copy.tell(float(trial.number % 3 == 0 and text == "b"), save=saving(text))
                    os._exit(0)
                except hoptim.AlreadyTold:
                    os._exit(1)
                except BaseException:
                    os._exit(2)
            pair.append(pid)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pair)
        assert codes == ([0, 1] if trial.number % 3 == 0 else [0, 0])
        found = hoptim.load(made.path).trials[trial.number]
        assert (Path(found.checkpoint) / "weights").stat().st_size == 1000


def test_a_save_that_failed_leaves_nothing(made):
    """On a full disk what a failed try wrote would be in the way of the next one."""
    trial = made.ask()
    folder = trial.draft.parent
    before = set(folder.iterdir())

    def save(path):
        saving("a")(path)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        trial.tell(1.0, save=save)
    assert set(folder.iterdir()) == before
    trial.tell(1.0, save=saving("b"))
    require_whole(made, trial.number, "b")


def test_a_checkpoint_that_was_not_durable_leaves_nothing(tmp_path, monkeypatch):
    """What was given its name, and could not be made durable, is removed: no tell names it."""
    made = study(tmp_path / "s")
    trial = made.ask()
    folder = trial.draft.parent

    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(checkpoint_folder, "flush", full)
        trial.tell(1.0, save=saving("a"))
    assert set(folder.iterdir()) == set()
    trial.tell(1.0, save=saving("b"))
    require_whole(made, trial.number, "b")


def test_a_tell_whose_append_failed_is_told_again(made, monkeypatch):
    """With the same draft, or saved anew: what an earlier try published does not get in the way."""
    trial, real = made.ask(), FileJournal.append

    def full(self, records, wakes):
        raise hoptim.StoreError(28, "No space left on device")

    trial.draft.write_text("c")
    for outcome in ({"save": saving("a")}, {"save": saving("b")}, {"checkpoint": trial.draft}):
        monkeypatch.setattr(FileJournal, "append", full)
        with pytest.raises(hoptim.StoreError, match="No space"):
            trial.tell(1.0, **outcome)
    monkeypatch.setattr(FileJournal, "append", real)
    trial.tell(1.0, checkpoint=trial.draft)
    assert Path(hoptim.load(made.path).trials[trial.number].checkpoint).read_text() == "c"
    assert made.check().findings == ()
