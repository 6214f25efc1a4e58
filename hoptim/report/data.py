"""The data of a report as plain JSON: a column for each field, not an object for each trial."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hoptim import ROMUL, Dimension, FinishedTrial, Study
from hoptim._text import json_number
from hoptim.analysis.names import name_of
from hoptim.analysis.param_column import param_column
from hoptim.analysis.ranking import best
from hoptim.analysis.scale import suits_log
from hoptim.analysis.status import Status
from hoptim.analysis.trial_table import TrialTable
from hoptim.report.thinning import thinned
from hoptim.start import GIVEN

_MOST = 100_000  # trials that a page shows, and some of more; a browser draws so many in seconds
_MAX_LENGTH = 4000  # characters of a failure's text, from both ends: a traceback's cause stands in the last


def data_of(study: Study) -> dict[str, Any]:
    """Return a study's data for the page.

    All results come from one read of the journal, since others may train meanwhile; who trains what comes
    from a look behind it. Numbers are exact; those that JSON lacks are "nan", "inf" and "-inf" as in the
    journal.

    Args:
        study: Study to report on, running or finished.

    Returns:
        Facts about the study and those of `at_work`; under `trials` one list per column, by number of the
        trial: `asked` in milliseconds after `began`, `took` in milliseconds, all others as in
        `FinishedTrial`. Of a long study they are those of every k-th step, the best, the members' latest,
        and the winner's line.
    """
    results = study.results()
    table = TrialTable.of(results)
    ever = best(table.trials, table.mode)
    always = {table.trials[row].number for row in (*table.line, *table.latest)}
    shown = thinned(table.trials, always | ({ever.number} if ever else set()), _MOST)
    trials, every, dimensions = shown.trials, shown.every, study.space.dimensions
    flat = [study.space.flat(trial.params) for trial in trials]
    return {
        "name": name_of(study.path),
        "optimizer": study.optimizer.describe(),
        "mode": table.mode,
        "size": results.size,
        "steps": results.steps,
        "seed": study.seed,
        "written": time.time(),
        "began": trials[0].asked if trials else None,
        "complete": results.done,
        "every": every,
        "finished": len(table),
        "failed": int(table.failed.sum()),
        "copied": int((table.copied & (table.step > 0)).sum()),
        "best": table.best and table.best.number,
        "best_ever": ever and ever.number,
        "log": suits_log(table.value),
        "space": json.dumps(study.space.to_json()),  # as text: whole numbers may be beyond JavaScript's
        "params": [_param(name, dim, flat) for name, dim in dimensions.items()],
        "metrics": _metrics(trials),
        "given": [trial.number for trial in trials if trial.worker == GIVEN],
        "failures": [{"trial": t.number, "why": _cut(t.failed)} for t in trials if t.failed is not None],
        "trials": _columns(trials),
        **at_work(study.status()),
    }


def at_work(status: Status) -> dict[str, Any]:
    """Return who trains what, and what deserves a look, as the page shows it."""
    return {"running": [asdict(held) for held in status.running], "warnings": status.warnings}


def _columns(trials: Sequence[FinishedTrial]) -> dict[str, list[Any]]:
    names = ("number", "member", "step", "age", "parent", "seed", "attempt", "interruptions")
    columns: dict[str, list[Any]] = {name: [getattr(trial, name) for trial in trials] for name in names}
    columns["value"] = [json_number(trial.value) if trial.valued else None for trial in trials]
    began = trials[0].asked if trials else 0.0
    columns["asked"] = [round((trial.asked - began) * 1000) for trial in trials]  # ms, as in the journal
    columns["took"] = [round((trial.ended - trial.asked) * 1000) for trial in trials]
    sigma = [ROMUL.step_size(trial.memo) for trial in trials]
    if any(step is not None for step in sigma):
        columns["sigma"] = sigma
    return columns


def _param(name: str, dim: Dimension, flat: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one hyperparameter: its dimension, and a column of numbers or of indices into `choices`.

    The column has null where it was not active.
    """
    settings = dim.to_json()
    shown = {"name": name, "type": settings["type"], "inherit": dim.inherit}
    shown["column"] = param_column(name, dim, flat)
    if "values" in settings:
        return shown | {"choices": [json.dumps(value) for value in settings["values"]]}
    return shown | {key: settings[key] for key in ("low", "high", "log")}


def _metrics(trials: Sequence[FinishedTrial]) -> list[dict[str, Any]]:
    """Return a column for each metric that is a number, null where it was not told or is other JSON."""
    names = dict.fromkeys(name for trial in trials for name in trial.metrics)
    columns = {name: [trial.metrics.get(name) for trial in trials] for name in names}
    return [
        {
            "name": name,
            "log": suits_log(np.array([v for v in column if isinstance(v, float)])),
            "column": [json_number(v) if isinstance(v, float) else None for v in column],
        }
        for name, column in columns.items()
        if any(isinstance(v, float) for v in column)
    ]


def _cut(text: str) -> str:
    """Return both ends of a text that is too long for the page, and say how much is left out between."""
    if len(text) <= _MAX_LENGTH:
        return text
    half = _MAX_LENGTH // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters are left out here ...]\n{text[-half:]}"
