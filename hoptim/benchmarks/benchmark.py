"""A benchmark as the command line sees it: options in, results out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoptim.benchmarks.run_options import RunOptions
from hoptim.benchmarks.runner import Progress


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """The results of a benchmark in three forms.

    Attributes:
        text: Heading and tables.
        document: Settings and results as JSON values.
        draw: Function that draws the results into a file. Default: None, for benchmarks without a picture.
    """

    text: str
    document: Mapping[str, Any]
    draw: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A command of `python -m hoptim.benchmarks`.

    Attributes:
        name: Word that selects the benchmark.
        summary: Line in the list of benchmarks.
        description: Paragraph in the benchmark's own help.
        options: Class of the options.
        run: Function that takes options and an optional function for progress.
        json: Help of the option that writes the results to a file.
        plot: Help of the option that draws them. Default: None, for benchmarks without a picture.
    """

    name: str
    summary: str
    description: str
    options: type[RunOptions]
    run: Callable[[Any, Progress | None], BenchmarkResult]
    json: str
    plot: str | None = None
