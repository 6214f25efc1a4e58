"""What commands write: JSON, files, and text that may hold anything."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from hoptim._files import explained
from hoptim.space.space import Space
from hoptim.trial import FinishedTrial

TRIAL_KEYS = (
    "number", "member", "step", "age", "parent", "origin", "value", "params", "metrics", "checkpoint",
    "seed", "attempt", "interruptions", "failed", "worker", "asked", "claimed", "ended",
)  # fmt: skip

_TEXT: Any = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}  # of files, exactly as given


def print_json(value: Any) -> None:
    """Print plain JSON, over several lines."""
    click.echo(json.dumps(value, indent=1, allow_nan=False))


def print_line(value: Any) -> None:
    """Print plain JSON in one line, at once."""
    click.echo(json.dumps(value, allow_nan=False))
    sys.stdout.flush()


def number(value: float) -> float | str:
    """A number as the journal has it: exact, and what JSON has no word for as "nan", "inf" or "-inf"."""
    return value if math.isfinite(value) else str(value)


def trial_json(trial: FinishedTrial, space: Space) -> dict[str, Any]:
    """A finished trial as plain JSON; an object behind a name is given by its name."""
    own = {key: getattr(trial, key) for key in TRIAL_KEYS}
    numbers = {key: number(value) for key, value in own.items() if isinstance(value, float)}
    metrics = {name: number(value) for name, value in trial.metrics.items()}
    return {**own, **numbers, "params": space.record(trial.params), "metrics": metrics}


def shown(text: str) -> str:
    """Text of others, line by line; nothing of it may steer a terminal."""
    return "\n".join(
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in text.split("\n")
    )


def brief(value: Any) -> str:
    """A value for people, in few places."""
    return f"{value:.4g}" if isinstance(value, float) else shown(str(value)).replace("\n", "\\n")


def counted(count: int, what: str) -> str:
    """A number of things, such as "no trials" or "1 trial"."""
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """Where output goes: standard output, or a file that is there whole or not at all."""
    if path is None:
        yield sys.stdout
        return
    with explained("write", path):
        if path.exists() and not path.is_file():  # a pipe or a device, which nothing may replace
            with path.open("w", **_TEXT) as file:
                yield file
            return
        target = Path(os.path.realpath(path))  # a link stays one
        draft = target.with_name(f".{target.name}-{os.urandom(4).hex()}")
        try:
            with draft.open("x", **_TEXT) as file:
                yield file
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
