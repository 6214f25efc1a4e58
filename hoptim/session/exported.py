"""What a pickled trial carries in place of its session: enough to reopen the study elsewhere."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from hoptim.errors import ArgumentError
from hoptim.options import Options
from hoptim.trial import Keeper, Outcome, Trial

log = logging.getLogger("hoptim")

_warned: set[tuple[str | None, tuple[str, ...]]] = set()  # studies whose lost options this process named


class FunctionName(NamedTuple):
    """A function by its name: found elsewhere if its module is loaded there, and never imported."""

    module: str
    name: str

    def find(self) -> Any:
        """Return the function, None where no loaded module has it."""
        found: Any = sys.modules.get(self.module)
        for part in self.name.split("."):
            found = getattr(found, part, None)
        return found


class CarriedOptions(NamedTuple):
    """Options that may be pickled.

    Attributes:
        plain: Options that are plain data.
        keep: `keep=`, a function by its name; None where it cannot be pickled.
        callbacks: Callbacks that can be pickled.
        lost: Names of options that cannot be.
    """

    plain: Options
    keep: Any
    callbacks: tuple[Any, ...]
    lost: tuple[str, ...]

    @classmethod
    def of(cls, options: Options) -> CarriedOptions:
        """Return as much of some options as may be pickled, so that a trial always may."""
        keep, *callbacks = [_portable(each) for each in (options.keep, *options.callbacks)]
        found = [each for each in callbacks if each is not None]
        lost = [
            *(["keep"] if keep is None and options.keep is not None else []),
            *(["callbacks"] if len(found) < len(callbacks) else []),
        ]
        return cls(replace(options, keep=None, callbacks=()), keep, tuple(found), tuple(lost))

    def unpack(self) -> tuple[Options, tuple[str, ...]]:
        """Return the options here, and the names of those that are not to be had."""
        keep = self.keep.find() if isinstance(self.keep, FunctionName) else self.keep
        gone = ["keep"] if keep is None and self.keep is not None else []
        found = [each.find() if isinstance(each, FunctionName) else each for each in self.callbacks]
        here = [each for each in found if each is not None]
        gone += ["callbacks"] if len(here) < len(found) else []
        return replace(self.plain, keep=keep, callbacks=tuple(here)), (*self.lost, *gone)


def _here() -> int:
    return os.getpid()  # looked up at each call, as simulated processes have pids of their own


@dataclass
class ExportedKeeper:
    """The study's side of a trial that was pickled; opens the study when first needed.

    Implements `hoptim.trial.Keeper`.

    Args:
        reopen: Function that opens a study by path and options, and returns its side of a trial whose
            record has some identifier.
        path: Directory of the study, None in memory.
        options: Options of the session that lent the trial.
        id: Identifier of the record that ends the trial, the same in every copy.
        how: End of the trial when it was pickled, None while it was in hand.
    """

    reopen: Callable[[str, Options, str], Keeper]
    path: str | None
    options: CarriedOptions
    id: str
    how: str | None
    _opened: Keeper | None = None
    _process: int = field(default_factory=_here)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _process=os.getpid())

    @property
    def inherited(self) -> bool:
        """Return True in a forked child of the process that the copy was sent to."""
        return self._process != os.getpid()

    @property
    def ended(self) -> str | None:
        """Return how the trial ended."""
        return self.how if self._opened is None else self._opened.ended

    def tell(self, trial: Trial, value: Any, outcome: Outcome) -> None:
        """End the trial with a value."""
        self._open(trial).tell(trial, value, outcome)

    def fail(self, trial: Trial, why: str, retry: bool) -> None:
        """End the attempt as a failure."""
        self._open(trial).fail(trial, why, retry)

    def release(self, trial: Trial) -> None:
        """Hand the trial back."""
        self._open(trial).release(trial)

    def draft(self, trial: Trial) -> Path:
        """Return the private path for its checkpoint."""
        return self._open(trial).draft(trial)

    def scratch(self, trial: Trial) -> Path:
        """Return its folder that survives attempts."""
        return self._open(trial).scratch(trial)

    def export(self, trial: Trial) -> Keeper:
        """Return what a copy of the copy carries."""
        return replace(self, how=self.ended, _opened=None)

    def _open(self, trial: Trial) -> Keeper:
        if self._opened is None:
            if self.path is None:
                raise ArgumentError(
                    f"Trial {trial.number} belongs to a study in the memory of another process: "
                    "send the value back and tell it there, or give the study a directory."
                )
            options, lost = self.options.unpack()
            if lost and (self.path, lost) not in _warned:
                _warned.add((self.path, lost))
                log.warning(
                    "Trials of %s came to this process without %s, which cannot be pickled: here it is as "
                    "if it were not given. Define it at the top level of a module that both load.",
                    self.path, " and ".join(f"{name}=" for name in lost),
                )  # fmt: skip
            self._opened = self.reopen(self.path, options, self.id)
        return self._opened


def _portable(value: Any) -> Any:
    """Return what stands for a value where it is unpickled, None where nothing can.

    What depends on this process's script would make the whole trial fail to load in another one, so
    functions go by name, and other objects only if all of them is importable.
    """
    if isinstance(value, FunctionType):
        named = FunctionName(value.__module__, value.__qualname__)
        return named if named.find() is value else None
    try:
        return None if b"__main__" in pickle.dumps(value) else value
    except Exception:  # whatever an object's own code raises: it does not travel
        return None
