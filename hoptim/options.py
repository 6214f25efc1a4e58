"""Options: what one process asks of a study; they may differ each time the study is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from hoptim._arguments import number_of, truth_of, whole_of
from hoptim._text import shown
from hoptim.errors import ArgumentError
from hoptim.stopping import Stop
from hoptim.trial import FinishedTrial

START = "HOPTIM_START"  # environment variable in which a launcher identifies a start to its workers


class OptionKeywords(TypedDict, total=False):
    """The fields of `Options` as keyword arguments, for type checkers."""

    lead: int
    synchronous: bool
    keep: Callable[[FinishedTrial], bool] | None
    max_attempts: int
    max_interruptions: int
    max_deaths: int
    lease: float
    lock_timeout: float | None
    single_host: bool
    strict: bool
    callbacks: Sequence[Any]
    stop: Stop | None
    progress: bool


@dataclass(frozen=True)
class Options:
    """Options of a process, given as keywords to `Study`, `load`, `fork` and `hoptim.remote`.

    A pickled trial and a forked study carry them along. None of them is part of the study: each
    process may have its own.

    Args:
        lead: Steps that a member may be ahead of the slowest unfinished one. Default: 1, which keeps
            workers busy and comparisons fair.
        synchronous: Finish step s of all members before any gets step s + 1; the same as `lead=0`.
            Default: False.
        keep: Predicate of a finished trial that is no longer needed, called with each tell; True keeps its
            checkpoint from being dropped by this process. One that raises is logged, and keeps it. Default:
            None, which keeps what may still be loaded and the best.
        max_attempts: Failures after which a trial is marked failed. Default: 3.
        max_interruptions: Workers lost with a trial after which it is marked failed; handing it back, as by
            Ctrl-C, does not count. Default: 20.
        max_deaths: Deaths of workers after which the trial that they held, such as one that takes all
            memory, is marked failed. Only those count that `hoptim run` or `hoptim.run` on this machine
            saw and did not cause. Default: 3.
        lease: Seconds without a heartbeat after which a worker on another host counts as dead; a death
            on the same host is proven at once, and a process that lives there has ten leases. Default:
            120, the least over NFS.
        lock_timeout: Seconds to wait for the study's lock. Default: None, which waits on and warns
            every 10 s.
        single_host: Assert that all workers run on this host; skips the shared-lock check, which
            refuses a directory on a mount whose locks are known not to reach other machines.
            Default: False.
        strict: Refuse, as `NotApplied`, to publish the checkpoint of a trial whose own `checkpoint` or
            `params` were never read, unless `trial.continues`. Default: False, which warns.
        callbacks: Objects with any of the methods `asked(trial)`, `exploited(exploit)`,
            `told(finished)`, `failed(trial, why)` and `done(study)`, called as things happen in this
            process. An exception in one is logged, and the study goes on. Default: none.
        stop: Conditions under which the study stops, for all its workers, as `Stop` documents them.
            Default: None, which trains to the end.
        progress: Show on one line of the terminal how far the study is, its best value, the time left, and
            for whom the loop waits, while this process loops over it. Nothing is shown where standard
            error is no terminal, as in a pipe or a notebook. Default: False.

    Raises:
        ArgumentError: A value that cannot work.

    >>> import hoptim
    >>> hoptim.Options(lease=600.0).ahead
    1
    """

    lead: int = 1
    synchronous: bool = False
    keep: Callable[[FinishedTrial], bool] | None = None
    max_attempts: int = 3
    max_interruptions: int = 20
    max_deaths: int = 3
    lease: float = 120.0
    lock_timeout: float | None = None
    single_host: bool = False
    strict: bool = False
    callbacks: Sequence[Any] = ()
    stop: Stop | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        lows = {"lead": 0, "max_attempts": 1, "max_interruptions": 1, "max_deaths": 1}
        for name, low in lows.items():
            object.__setattr__(self, name, whole_of(name, getattr(self, name), low))
        for name in ("synchronous", "single_host", "strict", "progress"):
            object.__setattr__(self, name, truth_of(name, getattr(self, name)))
        for name, value in (("lease", self.lease), ("lock_timeout", self.lock_timeout)):
            if (value is not None or name == "lease") and not 0 < number_of(name, value) < 1e7:
                raise ArgumentError(f"{name} must be a number of seconds above 0, found {shown(value)}.")
        if self.stop is not None and not isinstance(self.stop, Stop):
            raise ArgumentError(
                f"stop must be a hoptim.Stop, such as hoptim.Stop(value=0.1), found {shown(self.stop)}."
            )
        if self.keep is not None and not callable(self.keep):
            raise ArgumentError(f"keep must be a function of a finished trial, found {shown(self.keep)}.")

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Options:
        """Return options by keyword.

        Raises:
            ArgumentError: A keyword that is no option, with the one that was probably meant, or a value
                that cannot work.
        """
        known = [field.name for field in fields(cls)]
        for name in keywords:
            if name not in known:
                from difflib import get_close_matches  # seldom needed

                near = get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"The options are {', '.join(known)}."
                raise ArgumentError(f"There is no option {name!r}. {hint}")
        return cls(**keywords)

    @property
    def ahead(self) -> int:
        """Return the steps that a member may be ahead, with `synchronous` taken into account."""
        return 0 if self.synchronous else self.lead
