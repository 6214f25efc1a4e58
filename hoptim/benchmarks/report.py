"""What a benchmark found, as text for people and as JSON for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, astuple
from itertools import groupby
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.rosenbrock import Row, Setup


def heading(setup: Setup, testbed: str = "Rosenbrock") -> str:
    """What was run."""
    return (
        f"{testbed}, log10 of the final loss: {setup.runs} runs (seeds {setup.seed} to "
        f"{setup.seeds[-1]}), {setup.members} members, {setup.steps} steps"
    )


def table3(rows: Sequence[Row]) -> str:
    """One line for each row, published and measured figures side by side."""
    cells: list[Sequence[str]] = [("", "published", "", "measured", "", "p against")]
    cells.append(("", *("mean", "std") * 2, "ROMUL"))
    for row in rows:
        paper = () if row.published is None else astuple(row.published)
        p = "" if row.p_value is None else f"{row.p_value:.1e}"
        cells.append((row.name, *map("{:g}".format, paper), f"{row.mean:.3f}", f"{row.std:.3f}", p))
    return aligned(cells)


def figure3(rows: Sequence[Row]) -> str:
    """One line for each number of dimensions: means and their standard errors."""
    by_dims = [(n, list(group)) for n, group in groupby(rows, key=lambda row: row.dims)]
    cells = [("dimensions", *(row.name for row in by_dims[0][1]))]
    for n, group in by_dims:
        cells.append((str(n), *(f"{row.mean:.3f} ({row.standard_error:.3f})" for row in group)))
    return f"{aligned(cells)}\n\nMeans, with standard errors in brackets.\n{_against_the_claim(by_dims)}"


def _against_the_claim(by_dims: Sequence[tuple[int, Sequence[Row]]]) -> str:
    """Who was ahead of ROMUL, beside what the paper says of its Figure 3."""
    lines = [
        "The paper: ROMUL is best in most dimensions, and only Truncation Selection passes it, in 8 to 14."
    ]
    romul, *others = (row.name for row in by_dims[0][1])
    for name in others:
        ahead = {n: _lead(name, group) for n, group in by_dims}
        told = ", ".join(f"{n} ({z:.1f})" for n, z in ahead.items() if z > 0) or "none"
        lines.append(f"Here: dimensions in which {name} has a lower mean than {romul}: {told}")
    return "\n".join(lines) + "\nIn brackets: by how many standard errors of the difference."


def _lead(name: str, group: Sequence[Row]) -> float:
    """By how many standard errors of the difference a contender's mean is below ROMUL's."""
    romul, other = group[0], next(row for row in group if row.name == name)
    error = float(np.hypot(romul.standard_error, other.standard_error))
    return (romul.mean - other.mean) / error if error > 0 else 0.0


def to_json(setup: Setup, rows: Sequence[Row]) -> str:
    """Everything but the trials, with the versions that it was measured with."""
    return as_json(setup, [_plain(row) for row in rows])


def as_json(setup: Setup, rows: Sequence[dict[str, Any]]) -> str:
    """Rows as JSON, with the settings and versions that they were measured with."""
    settings = asdict(setup)
    del settings["workers"], settings["store"]  # the figures do not depend on them
    return document(settings, rows=rows)


def document(settings: dict[str, Any], **found: Any) -> str:
    """What was found as JSON, with the settings and versions that it was measured with."""
    everything = {"settings": {**settings, **versions()}, **found}
    return json.dumps(everything, indent=1, allow_nan=False) + "\n"


def versions() -> dict[str, str]:
    """Of what figures may depend on."""
    return {"hoptim": hoptim.__version__, "numpy": np.__version__, "python": platform.python_version()}


def _plain(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "dims": row.dims, "published": row.published and asdict(row.published),
        "mean": row.mean, "std": row.std, "standard_error": row.standard_error,
        "p_value": row.p_value, "final_losses": row.final_losses,
    }  # fmt: skip


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Lines whose first column is set to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))])
        for first, *rest in cells
    )
    return "\n".join(line.rstrip() for line in lines)
