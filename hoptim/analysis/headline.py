"""Progress of a study in words, the same wherever it is told: in a loop, a command or a notebook."""

from __future__ import annotations

from collections.abc import Sized
from typing import Protocol

from hoptim._text import counted, duration
from hoptim.stopping import Stopped
from hoptim.trial import FinishedTrial


class Standing(Protocol):
    """How far a study is; both `Status` and `Results` have this."""

    @property
    def size(self) -> int:
        """Return the number of members."""

    @property
    def steps(self) -> int:
        """Return the trials of each member."""

    @property
    def finished(self) -> int:
        """Return how many trials have ended."""

    @property
    def done(self) -> bool:
        """Return True if every member has done its steps."""

    @property
    def stopped(self) -> Stopped | None:
        """Return the stop of the study, None without one."""

    @property
    def running(self) -> Sized:
        """Return the trials that a worker holds."""

    @property
    def rate(self) -> float | None:
        """Return how many trials ended per second of late, None where unknown."""

    @property
    def remaining(self) -> float | None:
        """Return the seconds to the end, None where unknown."""


def headline(
    standing: Standing, best: FinishedTrial | None, waits_for: str | None = None, columns: int | None = None
) -> str:
    """Return on one line how far a study is, what matters most first.

    Args:
        standing: Standing of the study, such as its `Status` or its `Results`.
        best: Best of the members' latest trials, None before the first finite value.
        waits_for: Members that a loop waits for. Default: None, for none.
        columns: Width to keep to; what matters least is left out, and the rest may still be wider.
            Default: None, any width.
    """
    value = "no result yet" if best is None else f"best {best.value:.6g}"
    waits = [] if waits_for is None else [f"waits for {waits_for}"]
    under_way = f"{len(standing.running)} under way"
    words = [share(standing), value, *waits, *pace(standing), under_way]
    while columns is not None and len(words) > 1 and len(", ".join(words)) > columns:
        words.pop()
    return ", ".join(words)


def share(standing: Standing) -> str:
    """Return how many trials have ended, such as "6 of 20 trials, 30 %"."""
    total = standing.size * standing.steps
    return f"{standing.finished} of {counted(total, 'trial')}, {100 * standing.finished // total} %"


def pace(standing: Standing) -> list[str]:
    """Return the time left and how fast a study goes, as far as that is known."""
    if standing.done:
        return ["all done"]
    if standing.stopped is not None:
        return ["stopped"]
    found = []
    if standing.remaining is not None:
        found.append(f"about {duration(standing.remaining)} left")
    if standing.rate is not None:
        unit, seconds = ("minute", 60) if 60 * standing.rate >= 1 else ("hour", 3600)
        rate = seconds * standing.rate
        found.append(f"{rate:,.{0 if rate >= 100 else 1}f} trials a {unit}")
    return found


def result(trial: FinishedTrial | None) -> str:
    """Return a trial's value and its place."""
    if trial is None:
        return "none yet"
    return f"{trial.value:.6g} in trial {trial.number}, step {trial.step} of member {trial.member}"
