"""What one process asks of a study; it may differ each time the study is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hoptim._arguments import check_whole, number_of
from hoptim.errors import ArgumentError
from hoptim.session.callbacks import check_callbacks


@dataclass(frozen=True)
class Options:
    """Options of a process, as `hoptim.Study` documents them.

    Args:
        lead: How many steps a member may be ahead of the slowest unfinished one.
        synchronous: The same as `lead=0`.
        keep: Given a finished trial, whether this process must not drop its checkpoint.
        max_attempts: Failed attempts of a trial after which it fails for good.
        max_interruptions: Interruptions of a trial after which it fails for good.
        lease: Seconds without a sign of life after which a worker on another host is dead.
        lock_timeout: Seconds to wait for the lock; None waits on.
        single_host: That all processes run on one machine, so that locks need not reach further.
        guest: That claims outlive this process, as `hoptim.remote` needs it.
        callbacks: Objects that are told what happens in this process.

    Raises:
        ArgumentError: A value that cannot work.
    """

    lead: int = 1
    synchronous: bool = False
    keep: Callable[[Any], bool] | None = None
    max_attempts: int = 3
    max_interruptions: int = 20
    lease: float = 120.0
    lock_timeout: float | None = None
    single_host: bool = False
    callbacks: Sequence[Any] = ()
    guest: bool = False

    def __post_init__(self) -> None:
        check_whole("lead", self.lead, 0)
        check_whole("max_attempts", self.max_attempts, 1)
        check_whole("max_interruptions", self.max_interruptions, 1)
        for name, value in (("lease", self.lease), ("lock_timeout", self.lock_timeout)):
            if value is not None and not 0 < number_of(name, value) < 1e7:
                raise ArgumentError(f"{name} must be a number of seconds above 0, found {value!r}.")
        if self.keep is not None and not callable(self.keep):
            raise ArgumentError(f"keep must be a function of a finished trial, found {self.keep!r}.")
        object.__setattr__(self, "callbacks", check_callbacks(self.callbacks))

    @property
    def ahead(self) -> int:
        """How many steps a member may be ahead."""
        return 0 if self.synchronous else self.lead
