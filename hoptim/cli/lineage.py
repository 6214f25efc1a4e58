"""`hoptim lineage`: ancestors, descendants and exploits of a trial."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import click

import hoptim
from hoptim._text import counted, json_number
from hoptim.analysis.family import Exploit
from hoptim.analysis.lineage import Lineage
from hoptim.analysis.populations import Standing
from hoptim.cli import options
from hoptim.cli.output import print_json, print_json_list, trial_json
from hoptim.errors import ArgumentError, NoResult
from hoptim.space.space import Space
from hoptim.start import GIVEN
from hoptim.trial import FinishedTrial

_HEADER = ("age", "trial", "member", "value", "copied", "instead of its own")


@click.command()
@options.place
@options.trial
@click.option("--member", type=int, metavar="M", help="Take the latest finished trial of a member instead.")
@click.option(
    "--exploits", is_flag=True,
    help="Print each exploit with the best values seen: all of the study, or those of the line of --trial "
    "or --member, of which the JSON has all values seen.",
)  # fmt: skip
@options.as_json
def lineage(
    place: options.Place, trial: int | None, member: int | None, exploits: bool, as_json: bool
) -> None:
    """Show where weights came from, who copied them, and why."""
    if trial is not None and member is not None:
        raise ArgumentError("Give either --trial or --member, not both.")
    study = options.opened(place)
    results = study.results()
    if exploits and trial is None and member is None:
        _print_exploits(results.family.exploits, as_json, values=False)
        return
    found = results.lineage(trial if member is None else _latest(results, member))
    if exploits:
        _print_exploits(found.exploits, as_json, values=True)
    elif as_json:
        print_json(_lineage_json(found, study.space))
    else:
        _show(found)


def _latest(results: hoptim.Results, member: int) -> FinishedTrial:
    if not 0 <= member < results.size:
        raise ArgumentError(f"--member must be 0 to {results.size - 1}, found {member}.")
    found = next((trial for trial in results.latest if trial.member == member), None)
    if found is None:
        raise NoResult(f"Member {member} has not finished a trial yet.")
    return found


def _show(found: Lineage) -> None:
    from hoptim.cli.screen import console, tables

    trial, founder, moves = found.trial, found.founder, counted(len(found.exploits), "exploit")
    click.echo(f"Trial {trial.number}, step {trial.step} of member {trial.member}: value {_value(trial)}.")
    begin = {"fresh": "fresh weights", "given": "weights that start= gave"}.get(
        _start(founder), f"trial {founder.origin} of the study it was forked from"
    )
    click.echo(f"Trained {counted(trial.age + 1, 'interval')}; from {begin} on, through {moves}:\n")
    screen = console()
    rows = [_row(trial, found.family.exploit(trial)) for trial in found.line]
    for table in tables(_HEADER, rows, 4, screen.width, left=_HEADER[4:]):
        screen.print(table)
    after = found.descendants
    members = ", ".join(map(str, sorted({trial.member for trial in after})))
    click.echo(
        f"\n{counted(len(after), 'finished trial')} of member {members} descended from it."
        if after
        else "\nNo finished trial descended from it."
    )


def _row(trial: FinishedTrial, exploit: Exploit | None) -> list[str]:
    row = [str(trial.age), str(trial.number), str(trial.member), _value(trial)]
    if exploit is None:
        return [*row, _start(trial), ""]
    own, other = exploit.left, exploit.donor
    copied = f"member {other.member}, {exploit.place(other)}"
    return [*row, copied, f"{own.value:.6g}, rank {exploit.standing.left}"]


def _value(trial: FinishedTrial) -> str:
    return f"{trial.value:.6g}" if trial.valued else "none"


def _start(trial: FinishedTrial) -> str:
    if trial.parent is not None:
        return ""
    if trial.origin is not None:
        return "forked"
    return "given" if trial.worker == GIVEN else "fresh"


def _lineage_json(found: Lineage, space: Space) -> dict[str, Any]:
    return {
        "trial": trial_json(found.trial, space),
        "founder": found.founder.number,
        "ancestors": [trial.number for trial in found.ancestors],
        "descendants": [trial.number for trial in found.descendants],
        "exploits": [_exploit_json(exploit, values=True) for exploit in found.exploits],
    }


def _print_exploits(exploits: Sequence[Exploit], as_json: bool, values: bool) -> None:
    """Print exploits, as JSON with all values that were compared if they are wanted."""
    if as_json:
        print_json_list(_exploit_json(exploit, values) for exploit in exploits)
        return
    if not exploits:
        click.echo("No exploits.")
    for seen, group in groupby(exploits, key=lambda exploit: _seen(exploit.standing)):
        for exploit in group:
            click.echo(str(exploit))
        click.echo(_wrapped(seen))


def _seen(standing: Standing) -> str:
    best = [f"member {member} {value:.6g}" for member, value in standing.best]
    more = [f"{standing.size - len(best)} more"] if standing.size > len(best) else []
    return f"Seen: {', '.join([*best, *more])}"


def _wrapped(text: str) -> str:
    width = shutil.get_terminal_size().columns
    return click.wrap_text(text, width, initial_indent="    ", subsequent_indent="    ")


def _exploit_json(exploit: Exploit, values: bool) -> dict[str, Any]:
    own, other, standing = exploit.left, exploit.donor, exploit.standing
    found: dict[str, Any] = {
        "trial": exploit.trial.number, "step": exploit.trial.step, "member": exploit.trial.member,
        "left": own.number, "left_value": json_number(own.value), "left_rank": standing.left,
        "donor": other.number, "donor_member": other.member, "donor_value": json_number(other.value),
        "donor_rank": standing.donor, "compared": standing.size,
    }  # fmt: skip
    if values:
        found["seen"] = {str(member): json_number(value) for member, value in exploit.seen.items()}
    return found
