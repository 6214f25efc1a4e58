"""Rows of results: their keys, merging, and text tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hoptim.benchmarks.tables import aligned
from peers.methods import INTERVALS, METHODS

Row = Mapping[str, Any]
FUNCTIONS = ("rosenbrock", "mixed")  # nothing is trained: the best ever is as good as the last
RUNS = 20
FLOOR = 1e-16  # what floating point tells from the minimum of Rosenbrock's function


def key(row: Row) -> tuple[str, str, int | None]:
    """Return the key of a row; of two rows with the same key the newer one counts."""
    return row["method"], row["problem"], row["interval"]


def merge(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Return all rows in the order of methods and problems; a new row replaces an old one of its key."""
    rows = {key(row): row for row in (*old, *new)}
    return sorted(rows.values(), key=_place)


def join(old: Row, new: Row) -> Row:
    """Return a row with the runs of two rows of one key; a row without runs is dropped."""
    if "seed" not in old or "seed" not in new:
        return new if "seed" in new else old
    lists = [name for name in new if isinstance(new[name], list)]
    return {**new, **{name: old.get(name, []) + new[name] for name in lists}}


def tables(rows: Sequence[Row]) -> str:
    """Return a table for each problem, and one of the time per decision."""
    found = [name for name in INTERVALS if any(row["problem"] == name for row in rows)]
    parts = [_function(name, rows) if name in FUNCTIONS else _trained(name, rows) for name in found]
    return "\n\n\n".join([*parts, _times(rows), _versions(rows)]) + "\n"


def _place(row: Row) -> tuple[int, int, int]:
    names = [method.name for method in METHODS]
    method = names.index(row["method"]) if row["method"] in names else len(names)
    return list(INTERVALS).index(row["problem"]), method, row["interval"] or 0


def _function(problem: str, rows: Sequence[Row]) -> str:
    log = problem == "rosenbrock"
    cells = [("", "last 16", "best ever", "runs")]
    for row in rows:
        if row["problem"] == problem:
            runs = (_spread(row, "last", log), _spread(row, "ever", log), _runs(row))
            cells.append((row["method"], *(runs if "last" in row else (row["cannot"], "", ""))))
    what = "log10 of the loss" if log else "loss"
    return f"{problem}, {what}, mean and standard deviation: 1,600 evaluations\n\n{aligned(cells)}"


def _trained(problem: str, rows: Sequence[Row]) -> str:
    columns = INTERVALS[problem]
    cells = [("interval", *map(str, columns), "constant")]
    own = [row for row in rows if row["problem"] == problem]
    for name in dict.fromkeys(row["method"] for row in own):
        by_interval = {row["interval"]: row for row in own if row["method"] == name}
        line = [_cell(by_interval.get(interval)) for interval in (*columns, None)]
        cells.append((name, *line))
    return f"{problem}, final loss, mean and standard deviation: 16 whole trainings\n\n{aligned(cells)}"


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if "cannot" in row:
        return str(row["cannot"])
    few = "" if len(row["last"]) >= RUNS else f" [{len(row['last'])}]"
    return _spread(row, "last", log=False) + few


def _times(rows: Sequence[Row]) -> str:
    cells = [("", "s a run", "ms a decision")]
    for row in rows:
        if "wall" in row and row["interval"] in (1, None):
            times = (f"{np.median(row['wall']):.1f}", f"{1e3 * np.median(row['deciding']):.3f}")
            cells.append((f"{row['problem']}: {row['method']}", *times))
    return (
        "Medians of a run's time, on cores that did other things besides, and of the processor's time for\n"
        f"each trial beyond its training, at an interval of 1\n\n{aligned(cells)}"
    )


def _versions(rows: Sequence[Row]) -> str:
    known = {f"{name} {version}" for row in rows for name, version in row["versions"].items()}
    return f"[n]: n runs ended in time, not {RUNS}. Versions: {', '.join(sorted(known, key=str.lower))}"


def _spread(row: Row, which: str, log: bool) -> str:
    values = np.array(row.get(which, [np.nan]))
    values = np.log10(np.maximum(values, FLOOR)) if log else values
    return f"{values.mean():.3f}" + (f" +- {values.std():.3f}" if len(values) > 1 else "")


def _runs(row: Row) -> str:
    return str(len(row.get("last", ())))
