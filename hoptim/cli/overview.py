"""Status of a study, laid out for a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hoptim._text import counted, duration, printable
from hoptim.analysis.headline import headline, pace, result, share
from hoptim.analysis.status import Running, Status
from hoptim.cli.output import stopped_line
from hoptim.cli.screen import size, tables

_MOST_FOUNDERS = 6
_LINES = 18  # that a status takes besides the trials under way
_BAR = 40  # columns
_RUNNING = ("trial", "member", "step", "attempt", "interrupted", "held for", "heartbeat", "process", "host")


def overview(status: Status, screen: Console, height: int | None = None) -> RenderableType:
    """Return a whole status, ready to print.

    Args:
        status: Status of a study.
        screen: Terminal or pipe that it will be printed to.
        height: Lines that it may take. Default: None, as many as it needs.
    """
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, fact in _facts(status, screen):
        facts.add_row(name, fact)
    parts: list[RenderableType] = [facts]
    if status.running:
        most = len(status.running) if height is None else max(height - _LINES, 3)
        rows = [_row(running) for running in status.running[:most]]
        parts += ["", *tables(_RUNNING, rows, 3, screen.width, left=("host",))]
        if len(status.running) > most:
            parts.append(f"and {len(status.running) - most} more")
    for warning in status.warnings:
        parts += ["", Text(f"Warning: {printable(warning)}", style="yellow")]
    return Group(*parts)


def summary(status: Status) -> str:
    """Return a status on one line."""
    more = f", {counted(len(status.warnings), 'warning')}" if status.warnings else ""
    return f"{time.strftime('%H:%M:%S', time.localtime(status.at))}  {headline(status, status.best)}{more}"


def _facts(status: Status, screen: Console) -> Iterator[tuple[str, RenderableType]]:
    yield (
        "study",
        f"{printable(str(status.path))}, {printable(status.optimizer)}, {status.size} members, "
        f"mode {status.mode}",
    )
    yield "progress", f"{share(status)}, members at {_steps(status)}"
    if screen.is_terminal:
        yield (
            "",
            ProgressBar(status.size * status.steps, status.finished, width=min(_BAR, screen.width - 12)),
        )
    yield "time", ", ".join(pace(status)) or "unknown"
    if status.stopped is not None:
        yield "stopped", stopped_line(status.stopped)
    yield "best", result(status.best)
    yield "best ever", result(status.best_ever)
    yield "failures", _failures(status)
    yield "founders", _founders(status)
    yield "diversity", ", ".join(_diversity(status)) or "unknown"
    yield "disk", ", ".join(f"{name} {size(count)}" for name, count in status.bytes.items())
    yield "running", counted(len(status.running), "trial")


def _steps(status: Status) -> str:
    low, high = min(status.progress), max(status.progress)
    return f"step {low if low == high else f'{low} to {high}'} of {status.steps}"


def _failures(status: Status) -> str:
    kinds = {
        "failed trial": status.failed,
        "failed attempt": status.attempts,
        "interruption": status.interruptions,
    }
    return ", ".join(counted(count, kind) for kind, count in kinds.items() if count) or "none"


def _diversity(status: Status) -> list[str]:
    return [f"{printable(name)} {x:.2f}" for name, x in status.diversity.items() if status.founders]


def _founders(status: Status) -> str:
    if not status.founders:
        return "none yet"
    each = [f"trial {number} in {counted(count, 'member')}" for number, count in status.founders.items()]
    more = [f"{len(each) - _MOST_FOUNDERS} more"] if len(each) > _MOST_FOUNDERS else []
    return f"{len(each)} left: {', '.join([*each[:_MOST_FOUNDERS], *more])}"


def _row(running: Running) -> list[str]:
    sign = "none" if running.silent is None else f"{duration(running.silent)} ago"
    numbers = (running.number, running.member, running.step, running.attempt, running.interruptions)
    sign = "lost" if running.lost else sign
    return [*map(str, numbers), duration(running.seconds), sign, running.pid, running.host]
