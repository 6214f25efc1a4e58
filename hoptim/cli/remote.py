"""`hoptim ask`, `beat`, `tell` and `fail`: for loops in a shell or another language."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from hoptim.cli import options
from hoptim.cli.output import discard, print_error, print_exact, print_line
from hoptim.errors import ArgumentError, HoptimError, NothingDue

_ALL_DONE, _NOTHING_DUE = 3, 4

_number = click.argument("number", type=int)
_token = click.option("--token", type=int, required=True, metavar="T", help="Token that `ask` printed.")


@click.command()
@options.place
@click.option(
    "--lease", type=float, default=600.0, metavar="S", show_default=True,
    help="Seconds without a heartbeat (`beat`) after which another worker may take the trial.",
)  # fmt: skip
@click.option(
    "--timeout", type=float, metavar="S", help="Seconds to wait for a trial. Default: without limit."
)
@options.single_host
@click.option("--shell", is_flag=True, help="Print NAME=value lines, quoted for eval in sh.")
@click.option("--json", "_json", is_flag=True, help="Print JSON, which is the default.")
@click.pass_context
def ask(
    ctx: click.Context,
    place: options.Place,
    lease: float,
    timeout: float | None,
    single_host: bool,
    shell: bool,
    _json: bool,
) -> None:
    """Claim the next trial and print it as a line of JSON.

    With --shell the fields are trial_number, trial_token, trial_checkpoint and so on, and the
    hyperparameters param_NAME, with _ for each character that is no letter or digit; one that is not
    active is empty. Exit status: 0 a trial; 3 all is done, or the run has stopped; 4 nothing was due in
    time.
    """
    from hoptim import remote

    space = options.opened(place).space if shell else None
    names = {} if space is None else _names([*space.dimensions, *space.constants])
    try:
        trial = remote.ask(place, lease, timeout, single_host=single_host)
    except NothingDue as error:
        print_error(error)
        ctx.exit(_NOTHING_DUE)
    if trial is None:
        stopped = options.opened(place).stopped
        ended = "All is done" if stopped is None else f"The run has stopped ({stopped.why})"
        print_error(f"{ended}: no trial is left in {str(place)!r}.")
        ctx.exit(_ALL_DONE)
    try:
        if space is not None:
            absent = dict.fromkeys(space.dimensions)  # set to nothing, lest the last trial's stay
            params = absent | space.record(trial["params"]) | space.constants
            print_exact("\n".join(_assignments(trial, params, names)))
        else:
            print_line(trial)
    except BaseException as error:
        handed_back = _hand_back(place, trial, single_host)
        if isinstance(error, OSError):
            discard(sys.stdout)
        elif not isinstance(error, UnicodeError):
            raise
        why = error.strerror if isinstance(error, OSError) else error
        print_error(f"Trial {trial['number']} could not be printed: {why}. {handed_back}")
        ctx.exit(1)


@click.command()
@options.place
@_number
@_token
@options.single_host
def beat(place: options.Place, number: int, token: int, single_host: bool) -> None:
    """Record a heartbeat: the trial is still being trained.

    Call it more often than once per lease. Exit status: 1 if another worker was given the trial.
    """
    from hoptim import remote

    remote.beat(place, number, token, single_host=single_host)


@click.command()
@options.place
@_number
@_token
@click.option("--value", type=float, metavar="V", help="Value, not negated; nan is a failure.")
@click.option(
    "--advance",
    is_flag=True,
    help="End it as trained and not valued, in place of --value.",
)
@click.option(
    "--checkpoint", type=options.PATH, metavar="PATH",
    help="File or folder with the checkpoint; the draft that `ask` named is moved, others are copied.",
)  # fmt: skip
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME=V", help="Further number; may be repeated."
)
@options.single_host
def tell(
    place: options.Place,
    number: int,
    token: int,
    value: float | None,
    advance: bool,
    checkpoint: Path | None,
    metrics: tuple[str, ...],
    single_host: bool,
) -> None:
    """End a trial with its value; durable when it returns.

    Telling the same again changes nothing. Exit status: 1 if nothing was recorded, with the reason.
    """
    from hoptim import remote

    if (value is None) != advance:
        raise ArgumentError("tell takes either --value V or --advance.")
    numbers = dict(map(_metric, metrics)) or None
    if value is None:
        remote.advance(place, number, token, checkpoint, numbers, single_host=single_host)
    else:
        remote.tell(place, number, token, value, checkpoint, numbers, single_host=single_host)


@click.command()
@options.place
@_number
@_token
@click.option("--why", required=True, metavar="TEXT", help="Reason, kept in the journal.")
@click.option("--no-retry", is_flag=True, help="Mark the trial failed instead of trying it again.")
@options.single_host
def fail(
    place: options.Place, number: int, token: int, why: str, no_retry: bool, single_host: bool
) -> None:
    """End an attempt as a failure; the trial is tried again.

    Repeating the call changes nothing.
    """
    from hoptim import remote

    remote.fail(place, number, token, why, not no_retry, single_host=single_host)


def _hand_back(place: options.Place, trial: Mapping[str, Any], single_host: bool) -> str:
    """Release a trial that nobody came to know of; return a sentence on its claim."""
    from hoptim import remote

    try:
        remote.release(place, trial["number"], trial["token"], single_host=single_host)
    except HoptimError as error:
        return f"It stays claimed until its lease ends, since it could not be handed back: {error}"
    return "It was handed back."


def _names(params: Iterable[str]) -> dict[str, str]:
    """Return names of shell variables by hyperparameter."""
    names: dict[str, str] = {}
    for param in params:
        name = "param_" + re.sub("[^A-Za-z0-9_]", "_", param)
        if name in names.values():
            raise ArgumentError(f"Two hyperparameters would be {name!r} in a shell; use the JSON instead.")
        names[param] = name
    return names


def _assignments(
    trial: Mapping[str, Any], params: Mapping[str, Any], names: Mapping[str, str]
) -> list[str]:
    fields = {f"trial_{key}": value for key, value in trial.items() if key != "params"}
    named = {names[param]: value for param, value in params.items()}
    return [f"{name}={shlex.quote(_word(value))}" for name, value in {**fields, **named}.items()]


def _word(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _metric(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        if not name or not equals:
            raise ValueError
        return name, float(value)
    except ValueError:
        raise ArgumentError(f"--metric must be NAME=number, found {text!r}.") from None
