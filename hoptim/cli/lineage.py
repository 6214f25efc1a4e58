"""`hoptim lineage`: ancestors, descendants and exploits of a trial."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from hoptim._text import counted, json_number
from hoptim.analysis.lineage import Exploit, Lineage
from hoptim.analysis.ranking import best_first
from hoptim.cli import options
from hoptim.cli.output import print_json, trial_json
from hoptim.errors import ArgumentError, NoResult
from hoptim.study import Study
from hoptim.trial import FinishedTrial

_HEADER = ("age", "trial", "member", "value", "copied", "instead of its own")


@click.command()
@options.folder
@options.trial
@click.option("--member", type=int, metavar="M", help="Take the latest finished trial of a member instead.")
@click.option(
    "--exploits", is_flag=True,
    help="Print each exploit with the values seen: all of the study, or those of the line of --trial or "
    "--member.",
)  # fmt: skip
@options.as_json
def lineage(folder: Path, trial: int | None, member: int | None, exploits: bool, as_json: bool) -> None:
    """Show where weights came from, which trials copied them, and why."""
    if trial is not None and member is not None:
        raise ArgumentError("Give either --trial or --member, not both.")
    study = options.opened(folder)
    if exploits and trial is None and member is None:
        _print_exploits(study.family.exploits, as_json)
        return
    found = study.lineage(_latest(study, member) if member is not None else trial)
    if exploits:
        _print_exploits(found.exploits, as_json)
    elif as_json:
        print_json(_lineage_json(found, study))
    else:
        _show(found)


def _latest(study: Study, member: int) -> FinishedTrial:
    if not 0 <= member < study.size:
        raise ArgumentError(f"--member must be 0 to {study.size - 1}, found {member}.")
    own = [trial for trial in study.trials if trial.member == member]
    if not own:
        raise NoResult(f"Member {member} has not finished a trial yet.")
    return max(own, key=lambda trial: trial.step)


def _show(found: Lineage) -> None:
    from hoptim.cli.screen import console, tables

    trial, founder, moves = found.trial, found.founder, counted(len(found.exploits), "exploit")
    click.echo(
        f"Trial {trial.number}, step {trial.step} of member {trial.member}: value {trial.value:.6g}."
    )
    start = (
        "fresh weights"
        if founder.origin is None
        else f"trial {founder.origin} of the study it was forked from"
    )
    click.echo(f"Trained {counted(trial.age + 1, 'interval')}; from {start} on, through {moves}:\n")
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
    row = [str(trial.age), str(trial.number), str(trial.member), f"{trial.value:.6g}"]
    if exploit is None:
        return [*row, _start(trial), ""]
    own, other = exploit.left, exploit.donor
    copied = f"member {other.member}, {exploit.place(other)}"
    return [*row, copied, f"{own.value:.6g}, rank {exploit.rank(own.member)}"]


def _start(trial: FinishedTrial) -> str:
    if trial.parent is not None:
        return ""
    return "fresh" if trial.origin is None else "forked"


def _lineage_json(found: Lineage, study: Study) -> dict[str, Any]:
    return {
        "trial": trial_json(found.trial, study.space),
        "founder": found.founder.number,
        "ancestors": [trial.number for trial in found.ancestors],
        "descendants": [trial.number for trial in found.descendants],
        "exploits": [_exploit_json(exploit) for exploit in found.exploits],
    }


def _print_exploits(exploits: Sequence[Exploit], as_json: bool) -> None:
    if as_json:
        print_json([_exploit_json(exploit) for exploit in exploits])
        return
    if not exploits:
        click.echo("No exploits.")
    for _, group in groupby(exploits, key=lambda exploit: exploit.seen):
        for exploit in group:
            click.echo(str(exploit))
        order = best_first(exploit.family.seen(exploit.trial), exploit.family.mode)
        seen = ", ".join(f"member {trial.member} {trial.value:.6g}" for trial in order)
        click.echo(_wrapped(f"Seen: {seen}"))


def _wrapped(text: str) -> str:
    width = shutil.get_terminal_size().columns
    return click.wrap_text(text, width, initial_indent="    ", subsequent_indent="    ")


def _exploit_json(exploit: Exploit) -> dict[str, Any]:
    own, other = exploit.left, exploit.donor
    return {
        "trial": exploit.trial.number, "step": exploit.trial.step, "member": exploit.trial.member,
        "left": own.number, "left_value": json_number(own.value),
        "donor": other.number, "donor_member": other.member, "donor_value": json_number(other.value),
        "seen": {str(member): json_number(value) for member, value in exploit.seen.items()},
    }  # fmt: skip
