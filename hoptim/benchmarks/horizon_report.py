"""What the horizon testbed found, as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hoptim.benchmarks.horizon import METHODS, Cell, Found, Setup
from hoptim.benchmarks.reference_solutions import Answer
from hoptim.benchmarks.report import aligned, document, versions

_NOTE = """Means, in brackets standard deviations over the runs; * is each method's best interval, ** the
best of all. A run delivers the best of its members' last trials; in random search each member keeps
its draw."""


def heading(setup: Setup) -> str:
    """What was run, and with what."""
    return (
        f"Final loss by method and interval: {setup.runs} runs (seeds {setup.seed} to "
        f"{setup.seeds[-1]}), {setup.members} members\n"
        + ", ".join(f"{name} {version}" for name, version in versions().items())
    )


def tables(found: Sequence[Found]) -> str:
    """A table for each problem, and what its marks mean."""
    return "\n\n".join([*map(_table, found), _NOTE])


def to_json(setup: Setup, found: Sequence[Found]) -> str:
    """All final losses, with the versions that they were measured with."""
    settings = asdict(setup)
    del settings["workers"], settings["problems"], settings["intervals"]  # the first matters not
    methods = {name: optimizer.describe() for name, optimizer in METHODS.items()}
    return document(settings, methods=methods, problems=[_plain(one) for one in found])


def _table(found: Found) -> str:
    title = f"{found.problem.name}, {found.problem.steps} steps"
    rows: list[Sequence[str]] = [(title, *(f"every {interval}  " for interval in found.intervals))]
    rows += [(name, *(_number(cell) + _mark(cell, found) for cell in found.row(name))) for name in METHODS]
    known: tuple[Cell | Answer, ...] = (found.drawn, *found.answers)
    blank = ("",) * (len(found.intervals) - 1)
    return aligned([*rows, *((one.name, f"{_number(one)}  ", *blank) for one in known)])


def _number(one: Cell | Answer) -> str:
    return f"{one.mean:.3f} ({one.std:.3f})" if len(one.losses) > 1 else f"{one.mean:.3f}        "


def _mark(cell: Cell, found: Found) -> str:
    """Stars for the best of a method's sweep over intervals, and for the best of all."""
    return "**" if cell is found.best() else "* " if cell is found.best(cell.name) else "  "


def _plain(found: Found) -> dict[str, Any]:
    return {
        "name": found.name, "steps": found.problem.steps,
        "cells": [{"method": c.name, "interval": c.interval, **_figures(c)} for c in found.cells],
        "random_search": _figures(found.drawn),
        "known": [{"name": answer.name, **_figures(answer)} for answer in found.answers],
    }  # fmt: skip


def _figures(one: Cell | Answer) -> dict[str, Any]:
    return {"mean": one.mean, "std": one.std, "final_losses": list(one.losses)}
