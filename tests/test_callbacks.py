"""Callbacks: what they are told, when, and that they cannot harm a run."""

from __future__ import annotations

import logging
import math

import pytest

import hoptim
from tests.builders import loss, saving, study, train


class Listener:
    """Notes all it is told."""

    def __init__(self):
        self.heard = []

    def asked(self, trial):
        self.heard.append(("asked", trial.number))

    def exploited(self, exploit):
        self.heard.append(("exploited", exploit.trial.number, exploit.donor.number))

    def told(self, trial):
        self.heard.append(("told", trial.number, trial.value, trial.checkpoint is not None))

    def failed(self, trial, why):
        self.heard.append(("failed", trial.number, why))

    def done(self, study):
        self.heard.append(("done", study.best.number))


class Reasons:
    """Notes what each exploit is told with."""

    def __init__(self):
        self.seen = []

    def exploited(self, exploit):
        self.seen.append((exploit.trial.number, exploit.seen, str(exploit)))


def test_each_event_is_told_in_order(tmp_path):
    """A trial is asked, perhaps exploited, then told, before the next is asked; done comes last, once."""
    listener = Listener()
    made = train(study(tmp_path / "s", callbacks=[listener]), saves=True)
    assert list(made) == []
    expected = []
    for trial in made.trials:
        expected.append(("asked", trial.number))
        for exploit in made.family.exploits:
            if exploit.trial.number == trial.number:
                expected.append(("exploited", trial.number, exploit.donor.number))
        expected.append(("told", trial.number, trial.value, True))
    assert listener.heard == [*expected, ("done", made.best.number)]
    assert any(event[0] == "exploited" for event in expected)


def test_an_exploit_is_told_with_what_was_seen():
    """While it begins, an exploit's values are those that it will be shown with later."""
    reasons = Reasons()
    made = study(None, size=6, steps=9, callbacks=[reasons], optimizer=hoptim.TruncationSelection())
    for trial in made:
        trial.tell(math.nan if trial.number % 13 == 5 else loss(trial))
    assert repr(reasons.seen) == repr([(e.trial.number, e.seen, str(e)) for e in made.family.exploits])
    assert len(reasons.seen) > 3


def test_an_exploit_of_a_trial_that_was_handed_back_is_told_with_what_was_seen():
    """Handed out again, a trial's exploit has the population of its proposal, not the one of today."""
    reasons = Reasons()
    made = study(None, size=4, steps=6, lead=3, callbacks=[reasons], optimizer=hoptim.TruncationSelection())
    for _ in range(5):
        *others, slow = sorted((made.ask() for _ in range(4)), key=lambda trial: trial.member)
        for trial in others:
            trial.tell(loss(trial))
        ahead = [made.ask() for _ in others]  # they see no more of the slow member than its step before
        slow.tell(loss(slow))
        for trial in ahead:
            trial.release()
    train(made)
    shown = {e.trial.number: (e.trial.number, e.seen, str(e)) for e in made.family.exploits}
    assert repr(reasons.seen) == repr([shown[number] for number, *_ in reasons.seen])
    assert len(reasons.seen) > len(shown)


def test_failures_are_told(tmp_path):
    """A failed attempt comes with its reason, whether said or raised."""
    listener = Listener()
    made = study(tmp_path / "s", size=1, steps=1, callbacks=[listener])
    made.ask().fail("out of memory")
    with pytest.raises(ZeroDivisionError), made.ask():
        raise ZeroDivisionError("0")
    assert listener.heard == [
        ("asked", 0), ("failed", 0, "out of memory"), ("asked", 0), ("failed", 0, "ZeroDivisionError: 0"),
    ]  # fmt: skip


def test_a_refused_tell_is_not_told():
    """Only what is durable is told."""
    listener = Listener()
    made = study(None, size=1, steps=2, callbacks=[listener])
    made.ask().tell(1.0, save=saving("x"))
    trial = made.ask()
    with pytest.raises(hoptim.NoCheckpoint):
        trial.tell(1.0)
    assert [event[0] for event in listener.heard] == ["asked", "told", "asked"]


def test_a_callback_that_raises_does_no_harm(caplog):
    """Its error is logged with a traceback, the other callbacks are called, and the study goes on."""

    class Broken:
        def told(self, trial):
            raise RuntimeError("the disk of my logger is full")

    listener = Listener()
    with caplog.at_level(logging.ERROR, "hoptim"):
        assert train(study(None, size=1, steps=2, callbacks=[Broken(), listener])).done
    assert [event[0] for event in listener.heard].count("told") == 2
    assert len(caplog.records) == 2
    assert "raised in told; the study goes on" in caplog.records[0].getMessage()
    assert "my logger is full" in caplog.text


@pytest.mark.parametrize("wrong", [[object()], ["asked"], "asked", 3, [None]])
def test_what_can_never_be_called_is_refused(wrong):
    """An object without any of the methods is a slip of the pen, said at once."""
    with pytest.raises(hoptim.ArgumentError, match="callback"):
        study(None, callbacks=wrong)


def test_a_loaded_study_has_callbacks_of_its_own(tmp_path):
    """They belong to the process, not to the study."""
    study(tmp_path / "s", callbacks=[Listener()])
    listener = Listener()
    train(hoptim.load(tmp_path / "s", callbacks=[listener]))
    assert len(listener.heard) > 40
