"""What a logger is: the few methods by which a study's trials reach another tool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Logger(Protocol):
    """A tool that is told of trials in the order of their ends, each of them once.

    What was told behind the last `commit` may be told again after a kill; `begin` gets what that commit
    returned, and discards what came behind it.

    Attributes:
        folder: Folder in which the place in the journal is kept, and a lock, so that one process writes.
    """

    folder: Path

    def begin(self, uuid: str, title: str, mark: Any) -> None:
        """Begin to log a study, or go on at a mark.

        Args:
            uuid: Identifier of the study.
            title: Name of its directory.
            mark: Return value of the last `commit`, as JSON; None to begin with nothing logged.
        """

    def log(self, run: str, step: int, values: Mapping[str, float], at: float) -> None:
        """Add a point to curves.

        Args:
            run: Name of the run, such as "member/03".
            step: Step in the run, which grows from point to point.
            values: Finite numbers by name of the curve, such as "value" or "params/lr".
            at: Time at which the trial ended, seconds since 1970.
        """

    def event(self, run: str, step: int, values: Mapping[str, str], at: float) -> None:
        """Add texts, such as the exploit that a trial began with.

        Args:
            run: Name of the run.
            step: Step in the run.
            values: Texts by name, such as "exploit", "failed" or "params/activation".
            at: Time at which the trial ended, seconds since 1970.
        """

    def commit(self) -> Any:
        """Make everything told so far durable, and return a mark, plain JSON, for `begin` to go on from.

        A tool that cannot say what is durable returns None, and all trials are told again after the next
        `begin`; it must then know by the step what it has.
        """

    def end(self) -> None:
        """End the runs: the study is done or has stopped. It may be extended or resumed later."""
