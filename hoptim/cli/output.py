"""Output of commands: JSON, files, and text that may hold anything."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from hoptim._arguments import json_metric
from hoptim._files import replace_whole
from hoptim._text import json_number, printable, printable_lines, shortened
from hoptim.space.space import Space
from hoptim.trial import FinishedTrial

TRIAL_KEYS = (
    "number", "member", "step", "age", "parent", "origin", "value", "params", "metrics", "checkpoint",
    "seed", "attempt", "interruptions", "failed", "worker", "asked", "claimed", "ended",
)  # fmt: skip
_BRIEF = 200  # characters
_STREAMS = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))


def print_json(value: Any) -> None:
    """Print plain JSON over several lines."""
    click.echo(json.dumps(value, indent=1, allow_nan=False))


def print_json_list(values: Iterable[Any]) -> None:
    """Print a list as plain JSON, each item on a line of its own."""
    lines = ",\n".join(f" {json.dumps(value, allow_nan=False)}" for value in values)
    click.echo(f"[\n{lines}\n]" if lines else "[]")


def print_line(value: Any) -> None:
    """Print plain JSON on one line, without delay."""
    click.echo(json.dumps(value, allow_nan=False))
    sys.stdout.flush()


def trial_json(trial: FinishedTrial, space: Space) -> dict[str, Any]:
    """Return a finished trial as plain JSON; a named object is given by its name."""
    own = {key: getattr(trial, key) for key in TRIAL_KEYS}
    numbers = {key: json_number(value) for key, value in own.items() if isinstance(value, float)}
    none = {} if trial.valued else {"value": None}
    metrics = json_metric(trial.metrics)
    return {**own, **numbers, **none, "params": space.record(trial.params), "metrics": metrics}


def brief(value: Any) -> str:
    """Return a value in few places, safe for a terminal."""
    return f"{value:.4g}" if isinstance(value, float) else printable(shortened(str(value), _BRIEF))


def print_error(error: Exception | str) -> None:
    """Print an error to standard error, line by line; nothing of it can steer a terminal."""
    with discarded_if_failing(sys.stderr):
        click.echo(f"hoptim: {printable_lines(str(error))}", err=True)


def print_exact(text: str) -> None:
    """Print text to the last bit, paths as the bytes that they are; at a terminal, such that it is safe."""
    click.echo(printable_lines(text) if sys.stdout.isatty() else os.fsencode(text))


def open_closed_streams() -> None:
    """Occupy the standard streams that are closed, so that no file of a study is given their numbers.

    Writing to such an output is then an error like that of a full disk, and not overlooked.
    """
    for name, mode, flags in _STREAMS:
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, flags)  # the lowest number that is free
            setattr(sys, name, os.fdopen(fd, mode, closefd=False))


@contextmanager
def discarded_if_failing(stream: TextIO) -> Iterator[None]:
    """Give up a stream that fails in the block, where there is nobody left to tell."""
    try:
        yield
    except OSError:
        discard(stream)


def discard(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, or the interpreter would fail on it at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """Yield where exact output goes: standard output, or a text that becomes a file once it is complete.

    Args:
        path: The file, replaced in one step; None for standard output. A terminal is shown the text once
            it is complete, with what could steer it escaped.

    Raises:
        StoreError: The file cannot be written.
    """
    if path is None and not sys.stdout.isatty():
        yield sys.stdout
        return
    text = io.StringIO()
    yield text
    if path is None:
        click.echo(printable_lines(text.getvalue()), nl=False)
        return
    replace_whole(path, text.getvalue().encode(errors="surrogateescape"))  # names of files, as they are
