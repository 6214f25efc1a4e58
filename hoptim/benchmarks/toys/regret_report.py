"""The table of the regret benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.runner import Progress
from hoptim.benchmarks.tables import aligned, document, versions
from hoptim.benchmarks.toys.regret import METHODS, RegretOptions, RegretRow, measure
from hoptim.benchmarks.toys.testbeds import KEPT_ASIDE

_NOTE = """(score - best method's) / (random search's - best method's), of mean scores: the final loss, or
its log10 (log). Differences within two standard errors count as 0. Above 1 is worse than random search,
which trains each member with its first hyperparameters to the end. MixedHorizon was chosen on the first
testbeds; those kept aside were written before that and not run until it was finished, but for what it
does with equals: that came later, of the plateau."""


def run(options: RegretOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Measure all methods on all testbeds."""
    return report(options, measure(options, progress))


def report(options: RegretOptions, rows: Sequence[RegretRow]) -> BenchmarkResult:
    """Return the tables and the document of measured rows."""
    measured_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    heading = f"Normalised regret: {options.summary}\n{measured_with}"
    aside = [row for row in rows if row.name in KEPT_ASIDE]
    tables = [
        _regrets("testbed", [row for row in rows if row not in aside]),
        _regrets("kept aside", aside),
        _scores(
            "no method is clearly better than random search", [row for row in rows if row.regrets is None]
        ),
    ]
    return BenchmarkResult(
        "\n\n".join([heading, *filter(None, tables), _NOTE]),
        document(
            options,
            methods={name: METHODS[name].describe() for name in options.columns},
            testbeds=[_to_json(row) for row in rows],
        ),
    )


REGRET = Benchmark(
    name="regret",
    summary="what each method leaves of the gain over random search, on many small problems",
    description="Measures the normalised regret of all methods, with default settings, on small problems "
    "on which greedy choices lose and on others on which they win; each method's worst and mean regret.",
    options=RegretOptions,
    run=run,
    json="write the table and each run's final loss to FILE",
)


def _regrets(title: str, rows: Sequence[RegretRow]) -> str:
    """Return a table of regrets, their worst and their mean; empty if there are none."""
    found = {_label(row): [*row.regrets.values()] for row in rows if row.regrets is not None}
    if not found:
        return ""
    ends = {"worst": np.max([*found.values()], axis=0), "mean": np.mean([*found.values()], axis=0)}
    cells = [
        [name, *(f"{regret:.2f}" for regret in regrets)] for name, regrets in {**found, **ends}.items()
    ]
    return aligned([(title, *rows[0].finals)[:-1], *cells])  # without random search


def _scores(title: str, rows: Sequence[RegretRow]) -> str:
    """Return a table of mean scores; empty without rows."""
    cells = [[_label(row), *(f"{scores.mean():.4g}" for scores in row.scores.values())] for row in rows]
    return aligned([(title, *rows[0].finals), *cells]) if cells else ""


def _label(row: RegretRow) -> str:
    return f"{row.name} (log)" if row.log else row.name


def _to_json(row: RegretRow) -> dict[str, Any]:
    return {
        "name": row.name, "log": row.log, "regrets": row.regrets,
        "finals": {method: losses.tolist() for method, losses in row.finals.items()},
    }  # fmt: skip
