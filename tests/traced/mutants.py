"""Promises of hoptim broken on purpose: `tests/faults.py` must find each one."""

from __future__ import annotations

import os
from typing import Any

from hoptim import _files
from hoptim.session import handle
from hoptim.store import journal, pins, store


def break_nothing() -> None:
    """All is as it should be."""


def forget_ids() -> None:
    """A tell with an unknown outcome is not found again when it is repeated."""
    tell = handle.Handle.tell

    def told(self: handle.Handle, trial: Any, value: Any, outcome: Any) -> None:
        self._id = os.urandom(4).hex()
        tell(self, trial, value, outcome)

    handle.Handle.tell = told  # type: ignore[method-assign]


def keep_state() -> None:
    """What was folded and could not be written is not forgotten."""
    forget = journal.FileJournal.forget
    journal.FileJournal.forget = lambda self: None if hasattr(self, "_at") else forget(self)  # type: ignore[method-assign]


def drop_early() -> None:
    """Checkpoints go before the record that says so."""
    drop = pins.drop_unreferenced

    def dropped(transaction: Any, *others: Any) -> None:
        drop(transaction, *others)
        transaction._owner._checkpoints.drop(transaction.removed)

    vars(store)["drop_unreferenced"] = dropped


def say_nothing() -> None:
    """Errors come out as the system made them."""
    _files.explained.__exit__ = lambda *_: None  # type: ignore[method-assign]


MUTANTS = {f.__name__: f for f in (forget_ids, keep_state, drop_early, say_nothing)}
