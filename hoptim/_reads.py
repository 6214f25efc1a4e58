"""Reads of a trial's fields, by which one that nobody used is told from one that was."""

from __future__ import annotations

from contextlib import suppress
from mmap import mmap
from typing import Any, TypeVar

_FIELDS = ("checkpoint", "params")
_RECORD = "_reads"  # name within the trial; absent where it is not known what was read

_Class = TypeVar("_Class", bound=type)


def noting_reads(cls: _Class) -> _Class:
    """Decorate the dataclass of trials: from `begin` on, reads of `checkpoint` and `params` are noted."""
    for name in _FIELDS:
        setattr(cls, name, _Noted(name))
    return cls


def begin(trial: object) -> None:
    """Note reads of a trial from now on, by this process and by children that are forked meanwhile."""
    with suppress(OSError):
        vars(trial)[_RECORD] = mmap(-1, len(_FIELDS))  # a page that forked children share


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
    return [name for name, was_read in zip(_FIELDS, record[:], strict=True) if not was_read]


class _Noted:
    """A field that lies in the trial's dictionary under its own name, where `vars` reads it unnoted."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, trial: object | None, kind: type) -> Any:
        if trial is None:
            return self
        note(trial, self._name)
        try:
            return vars(trial)[self._name]
        except KeyError:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {self._name!r}") from None

    def __set__(self, trial: object, value: Any) -> None:
        vars(trial)[self._name] = value
