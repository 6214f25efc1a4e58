"""Children of a fork: they end nothing of their parent's unless their code says so in words."""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Callable

import pytest

import hoptim
from hoptim.session.hand import Hand
from tests.builders import records, saving, study

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(work: Callable[[], object]) -> int:
    """Call a function in a forked child; its exit status is 0, or 1 after an exception."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ops(made: hoptim.Study) -> list[str]:
    """The ops of a study's records."""
    return [record["op"] for record in records(str(made.path))]


def fails() -> None:
    """An error of a child."""
    raise ValueError("no such file")


@pytest.mark.parametrize("end", [sys.exit, fails])
@pytest.mark.parametrize("pickled", [False, True])
def test_a_child_that_leaves_a_with_block_ends_nothing(tmp_path, end, pickled):
    """A child's sys.exit() releases nothing, its exception is no failed attempt; the parent tells."""
    made = study(tmp_path / "s")
    own = made.ask()
    trial = pickle.loads(pickle.dumps(own)) if pickled else own

    def work() -> None:
        with trial:
            end()

    with trial:
        assert in_child(work) == 1
        assert trial.ended is None
        trial.tell(1.0)
    assert ops(made) == ["create", "ask", "tell"]


@pytest.mark.parametrize("leave", ["collected", "closed", "left", "another loop"])
def test_a_child_that_leaves_a_loop_ends_nothing(tmp_path, leave):
    """A loop that a child collects, closes, leaves or begins anew keeps its trial and the claim ahead."""
    made = study(tmp_path / "s")
    loop = iter(made)
    next(loop).tell(1.0)  # which claims the next one in the same append
    trial = next(loop)

    def work() -> None:
        nonlocal loop
        if leave == "closed":
            loop.close()
        elif leave == "left":
            for _ in loop:
                break
        elif leave == "another loop":
            next(iter(made)).tell(0.5)
        del loop
        gc.collect()
        sys.exit()

    in_child(work)
    trial.tell(2.0)
    told = {t.number: t.value for t in made.trials}
    assert (told[0], told[1]) == (1.0, 2.0)


def test_a_child_that_drops_its_study_ends_nothing(tmp_path):
    """The parent's heartbeat and claim are there still when a child has let go of the study."""
    made = study(tmp_path / "s")
    trial = made.ask()
    before = list((tmp_path / "s" / "workers").iterdir())

    def work() -> None:
        nonlocal made, trial
        del made, trial
        gc.collect()

    assert in_child(work) == 0
    assert list((tmp_path / "s" / "workers").iterdir()) == before
    trial.tell(1.0)
    assert ops(made) == ["create", "ask", "tell"]


def test_a_child_that_goes_on_with_a_loop_gets_trials_of_its_own(tmp_path):
    """What the parent claimed ahead is not the child's, and what the child leaves open is released."""
    made = study(tmp_path / "s", size=3, steps=1)
    loop = iter(made)
    next(loop).tell(1.0)  # trial 1 is claimed ahead

    def work() -> None:
        assert next(loop).number == 2
        loop.close()

    assert in_child(work) == 0
    assert ops(made) == ["create", "ask", "tell", "ask", "ask", "release"]
    assert next(loop).number == 1


def test_a_childs_tell_is_the_parents(tmp_path):
    """Told by a child in words, the trial has ended: the parent may tell the same, or just go on."""
    made = study(tmp_path / "s", size=1, steps=3)
    for trial in made:
        if trial.number == 0:
            assert in_child(lambda trial=trial: trial.tell(1.0, save=saving("weights"))) == 0
            assert ops(made) == ["create", "ask", "tell"]  # nothing is claimed ahead for a child that ends
        elif trial.number == 1:
            assert in_child(lambda trial=trial: trial.tell(2.0, save=saving("weights"))) == 0
            trial.tell(2.0, save=saving("weights"))
        else:
            trial.tell(3.0, save=saving("weights"))
    assert [t.value for t in made.trials] == [1.0, 2.0, 3.0]
    assert made.check().ok


@pytest.mark.parametrize("save", [None, saving("weights")])
def test_a_parent_that_tells_otherwise_than_its_child_is_told_so(tmp_path, save):
    """Of two values for one claim the first is recorded, and the second is `AlreadyTold`."""
    made = study(tmp_path / "s")
    trial = made.ask()
    assert in_child(lambda: trial.tell(1.0, save=save)) == 0
    with pytest.raises(hoptim.AlreadyTold):
        trial.tell(2.0, save=save)
    assert [t.value for t in made.trials] == [1.0]
    assert made.check().ok


@pytest.mark.parametrize("word", ["fail", "release"])
def test_a_child_may_hand_the_trial_back_in_words(tmp_path, word):
    """A child's `fail` or `release` counts as the parent's, whose later tell is refused."""
    made = study(tmp_path / "s")
    trial = made.ask()
    assert in_child(lambda: trial.fail("no GPU") if word == "fail" else trial.release()) == 0
    assert ops(made) == ["create", "ask", word]
    with pytest.raises(hoptim.ClaimLost):
        trial.tell(1.0)
    assert made.ask().number == trial.number


def test_the_process_is_looked_up_when_a_hand_is_made(monkeypatch):
    """A simulated process has a pid of its own; what it holds it has not inherited."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    mine = Hand()
    assert not mine.inherited
    monkeypatch.setattr(os, "getpid", lambda: 8)
    assert mine.inherited
