"""Room for the day the disk is full; tests/test_full_disk.py has disks that really are."""

from __future__ import annotations

import errno
import os

import pytest

from hoptim.errors import StoreError
from hoptim.store.reserve import Reserve
from tests import reader
from tests.builders import study


@pytest.fixture
def full(tmp_path, monkeypatch):
    """Appends to a study's journal meet a full disk while a reserve is there, or while told so."""
    real, always = os.pwrite, []

    def pwrite(fd, data, offset):
        journal = (tmp_path / "s" / "journal.jsonl").stat()
        if os.path.samestat(os.fstat(fd), journal) and (always or (tmp_path / "s" / "reserve").exists()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, offset)

    trial = study(tmp_path / "s").ask()
    monkeypatch.setattr(os, "pwrite", pwrite)
    yield tmp_path / "s", trial, always
    monkeypatch.undo()


def test_a_full_disk_costs_the_reserve_and_not_the_value(full):
    """When a tell meets a full disk, the reserve makes room for it."""
    folder, trial, _ = full
    trial.tell(1.0)
    assert [r["op"] for r in reader.read(folder / "journal.jsonl")] == ["create", "ask", "tell"]
    assert not (folder / "reserve").exists()


def test_the_reserve_is_made_again_when_there_is_room(full, monkeypatch):
    """The next operation sets the room aside again."""
    folder, trial, _ = full
    trial.tell(1.0)
    monkeypatch.undo()
    assert study(folder).ask().number == 1
    assert (folder / "reserve").stat().st_size == 1 << 16


def test_a_disk_fuller_than_the_reserve_is_said(full):
    """When there is no room even so, the error says it and the same tell works once there is."""
    folder, trial, always = full
    always.append(True)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"append to .*journal.jsonl.*No space left"):
            trial.tell(1.0)
    always.clear()
    trial.tell(1.0)
    assert not (folder / "reserve").exists()


def test_nothing_to_give_up_is_no_room(tmp_path):
    """A reserve that is not there frees nothing, and one that cannot be made is done without."""
    assert not Reserve(tmp_path).give_up()
    Reserve(tmp_path / "gone").restock()
