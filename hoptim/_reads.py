"""Reads of a trial's fields, by which one that nobody used is told from one that was."""

from __future__ import annotations

import os
from contextlib import suppress
from mmap import mmap
from typing import Any, TypeVar

_FIELDS = ("checkpoint", "params")
_RECORD = "_reads"  # name within the trial; absent where it is not known what was read
_AT_ONCE = 64  # records that are made together: a page for each took a third of a decision in memory
_unused: list[memoryview] = []
os.register_at_fork(after_in_child=_unused.clear)  # its parent will use them for other trials

_Class = TypeVar("_Class", bound=type)


def noting_reads(cls: _Class) -> _Class:
    """Decorate the dataclass of trials: from `begin` on, reads of `checkpoint` and `params` are noted."""
    for name in _FIELDS:
        setattr(cls, name, _Noted(name))
    return cls


def begin(trial: object) -> None:
    """Note reads of a trial from now on, by this process and by children that are forked meanwhile."""
    with suppress(OSError):
        vars(trial)[_RECORD] = _record()


def end(trial: object) -> None:
    """Note no more reads: nobody asks for them, or what was read is no longer known."""
    vars(trial).pop(_RECORD, None)


def note(trial: object, name: str) -> None:
    """Note that a field was read, or something that may stand for it."""
    if (record := vars(trial).get(_RECORD)) is not None:
        record[_FIELDS.index(name)] = 1


def unread(trial: object) -> list[str]:
    """Return which of `checkpoint` and `params` nobody has read; none where that is not known."""
    if (record := vars(trial).get(_RECORD)) is None:
        return []
    return [name for name, was_read in zip(_FIELDS, record, strict=True) if not was_read]


def _record() -> memoryview:
    """Return a byte for each field, 0 until it is read, in memory that forked children share."""
    while True:
        try:
            return _unused.pop()
        except IndexError:
            page = memoryview(mmap(-1, _AT_ONCE * len(_FIELDS)))
            _unused.extend(page[at : at + len(_FIELDS)] for at in range(0, len(page), len(_FIELDS)))


class _Noted:
    """A field that lies in the trial's dictionary under its own name, where `vars` reads it unnoted."""

    def __init__(self, name: str) -> None:
        self._name, self._at = name, _FIELDS.index(name)

    def __get__(self, trial: object | None, kind: type) -> Any:
        if trial is None:
            return self
        fields = vars(trial)
        if (record := fields.get(_RECORD)) is not None:
            record[self._at] = 1
        try:
            value = fields[self._name]
        except KeyError:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {self._name!r}") from None
        if callable(value):  # a checkpoint that is elsewhere: who goes on with what it has needs no copy
            value = fields[self._name] = value(trial)
        return value

    def __set__(self, trial: object, value: Any) -> None:
        vars(trial)[self._name] = value
