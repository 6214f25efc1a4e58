"""What became of the workers of `hoptim run` and of their study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hoptim.errors import ArgumentError, HoptimError, NoResult
from hoptim.launch.ending import ending
from hoptim.study import load


@dataclass(frozen=True)
class LaunchSummary:
    """What became of one worker.

    Attributes:
        number: From 0.
        starts: How often it was started.
        status: Its last exit status, negative for the signal that killed it; None when it never ran.
        log: Its log file.
    """

    number: int
    starts: int
    status: int | None
    log: Path


@dataclass(frozen=True)
class Summary:
    """What became of all workers and of the study.

    Attributes:
        folder: The study's directory.
        workers: By number.
        stopped: The signal that stopped them; None when all ended by themselves.
    """

    folder: Path
    workers: tuple[LaunchSummary, ...]
    stopped: int | None

    @property
    def status(self) -> int:
        """0 when all ended well, 1 when some worker was given up, 128 and the signal when stopped."""
        if self.stopped is not None:
            return 128 + self.stopped
        return int(any(worker.status != 0 for worker in self.workers))

    def __str__(self) -> str:
        rows = [("worker", "starts", "ended", "log"), *map(_row, self.workers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([*lines, *_of_study(self.folder)])


def _row(worker: LaunchSummary) -> tuple[str, str, str, str]:
    status = worker.status
    ended = "finished" if status == 0 else "was never started" if status is None else ending(status)
    return str(worker.number), str(worker.starts), ended, str(worker.log)


def _of_study(folder: Path) -> Iterator[str]:
    try:
        study = load(folder)
        done = f"{len(study.trials)} of {study.size * study.steps} steps done"
        line = f"Study {str(folder)!r}: {study.size} members, {done}"
        with suppress(NoResult):
            line += f", best value {study.best.value:g} (member {study.best.member})"
        yield line
    except ArgumentError:
        yield f"There is no study in {str(folder)!r}; is that the one that the command trains?"
    except HoptimError as error:
        yield f"The study cannot be read: {error}"
