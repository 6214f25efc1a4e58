"""The command line: `python -m hoptim.benchmarks rosenbrock`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import hoptim
from hoptim.benchmarks.benchmark import Benchmark
from hoptim.benchmarks.runner import progress_line
from hoptim.benchmarks.studies.dropout import DROPOUT
from hoptim.benchmarks.studies.image_options import CIFAR10, CIFAR100, IMAGES
from hoptim.benchmarks.studies.language_options import LANGUAGE, TREEBANK, WIKITEXT
from hoptim.benchmarks.toys.horizon_report import HORIZON
from hoptim.benchmarks.toys.mixed import MIXED
from hoptim.benchmarks.toys.regret_report import REGRET
from hoptim.benchmarks.toys.rosenbrock_report import ROSENBROCK

BENCHMARKS = (
    ROSENBROCK, MIXED, HORIZON, REGRET, LANGUAGE, TREEBANK, WIKITEXT, DROPOUT, IMAGES, CIFAR10, CIFAR100,
)  # fmt: skip

_INTERRUPTED = 130  # the exit code that shells report for a program ended by Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark, print its tables and write the requested files.

    Args:
        arguments: Command-line arguments. Default: None, which takes the process's own.

    Returns:
        Exit code: 0, 1 if a run failed, 130 if interrupted. Invalid arguments exit with 2.
    """
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        _run(parsed.benchmark, parsed)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except hoptim.ArgumentError as error:
        parser.error(str(error))
    except (hoptim.HoptimError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    options = benchmark.options.from_arguments(arguments)
    _check_files(arguments.json, arguments.plot)
    with progress_line() as progress:
        result = benchmark.run(options, progress)
    print(f"{result.text}\n\n{time.monotonic() - began:.1f} s, --workers {options.workers}")
    if arguments.json is not None:
        text = json.dumps(result.document, indent=1, allow_nan=False) + "\n"
        arguments.json.write_text(text, encoding="ascii")
    if result.draw is not None and arguments.plot is not None:
        result.draw(arguments.plot)


def _check_files(table: Path | None, picture: Path | None) -> None:
    """Raise `ArgumentError` unless the requested files can be written, before anything has run."""
    for file in filter(None, (table, picture)):
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise hoptim.ArgumentError(
                f"{str(file)!r} cannot be written: it is a folder, or its folder is missing or read-only."
            )
    if picture is not None:
        os.environ["MPLBACKEND"] = "agg"  # a notebook hands down its own, which may not be installed here
        from hoptim.plot import check_format  # needs matplotlib

        check_format(picture)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hoptim.benchmarks", description="Benchmarks with known results."
    )
    commands = parser.add_subparsers(title="benchmarks", required=True, metavar="BENCHMARK")
    for benchmark in BENCHMARKS:
        command = commands.add_parser(
            benchmark.name, help=benchmark.summary, description=benchmark.description
        )
        command.set_defaults(benchmark=benchmark, plot=None)
        benchmark.options.add_to(command)
        command.add_argument("--json", type=Path, metavar="FILE", help=benchmark.json)
        if benchmark.plot is not None:
            command.add_argument("--plot", type=Path, metavar="FILE", help=benchmark.plot)
    return parser


if __name__ == "__main__":
    sys.exit(main())
