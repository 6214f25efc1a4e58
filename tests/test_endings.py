"""How claims end when the outcome of an append is not known."""

from __future__ import annotations

import errno

import pytest

import hoptim
from hoptim.store.journal import FileJournal
from tests.builders import records, study


@pytest.fixture
def late(monkeypatch):
    """The next append is on the disk, and an error says that it is not."""

    def arm():
        append = FileJournal.append

        def appended(self, lines, wakes):
            append(self, lines, wakes)
            monkeypatch.setattr(FileJournal, "append", append)
            self.forget()
            raise hoptim.StoreError(errno.EIO, "Input/output error")

        monkeypatch.setattr(FileJournal, "append", appended)

    return arm


def ended(path):
    """Ops of the records that end an attempt."""
    return [record["op"] for record in records(path) if record["op"] in ("tell", "fail")]


def test_a_tell_that_arrived_is_recorded_once(tmp_path, late):
    """Telling again after an error that was none is fine, and writes nothing."""
    trial = study(tmp_path / "s").ask()
    late()
    with pytest.raises(hoptim.StoreError):
        trial.tell(0.5)
    trial.tell(0.5)
    assert ended(tmp_path / "s") == ["tell"]


@pytest.mark.parametrize("retry", [True, False])
def test_a_failure_that_arrived_is_recorded_once(tmp_path, late, retry):
    """Failing again after an error that was none is fine, whether the trial has ended or not."""
    made = study(tmp_path / "s")
    trial = made.ask()
    late()
    with pytest.raises(hoptim.StoreError):
        trial.fail("out of memory", retry=retry)
    trial.fail("out of memory", retry=retry)
    assert ended(tmp_path / "s") == ["fail"]
    assert (len(made.trials) == 1) is not retry


def test_another_failure_is_refused(tmp_path):
    """A trial that was handed out again cannot be failed by whoever failed it before."""
    made = study(tmp_path / "s", size=1)
    trial = made.ask()
    twin = made._session.store.resume_claim(trial.number, trial.token)
    trial.fail("first")
    with pytest.raises(hoptim.ClaimLost):
        made._session.store.fail(twin, "other", "second", retry=True)
    assert ended(tmp_path / "s") == ["fail"]
