"""The command line: `python -m hoptim.benchmarks rosenbrock`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hoptim
from hoptim.benchmarks import report, rosenbrock
from hoptim.benchmarks.spread import Progress

_INTERRUPTED = 130  # what shells report of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark and print what it found.

    Args:
        arguments: Those of the command line; None takes the process's own.

    Returns:
        The exit code: 0, 1 when the work failed, 130 when it was interrupted. Arguments that
        cannot work exit with 2.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _rosenbrock(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except hoptim.ArgumentError as error:
        parser.error(str(error))
    except (hoptim.HoptimError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def _rosenbrock(options: argparse.Namespace) -> None:
    amounts = {name: getattr(options, name) for name in ("runs", "steps", "members", "seed", "workers")}
    setup = rosenbrock.Setup(**amounts, store=options.store)
    for file in filter(None, (options.json, options.plot)):
        _check_writable(file)
    if options.plot is not None:
        from hoptim.benchmarks import plot  # before the work: a missing extra is said at once
        from hoptim.plot import check_format

        check_format(options.plot)
    began = time.monotonic()
    with _progress() as progress:
        if options.dims is None:
            rows = rosenbrock.table3(setup, progress)
        else:
            rows = rosenbrock.figure3(options.dims, setup, progress)
    print(f"{report.heading(setup)}\n")
    print(report.table3(rows) if options.dims is None else report.figure3(rows))
    print(f"\n{time.monotonic() - began:.1f} s, --workers {setup.workers}")
    if options.json is not None:
        options.json.write_text(report.to_json(setup, rows), encoding="ascii")
    if options.plot is not None:
        plot.draw(rows, options.plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hoptim.benchmarks", description="Testbeds with published results."
    )
    testbeds = parser.add_subparsers(title="testbeds", required=True, metavar="TESTBED")
    testbed = testbeds.add_parser(
        "rosenbrock",
        help="Table 3 and Figures 1 to 3 of the ROMUL paper",
        description="Measures how close optimizers come to the minimum of Rosenbrock's function when the "
        "hyperparameters are the point itself, beside the figures of Table 3 of the ROMUL paper.",
    )
    cores: int = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    for name, default, meaning in (
        ("runs", 20, "runs of each row, at least 2"),
        ("steps", 100, "steps of each member"),
        ("members", 16, "members of each population"),
        ("seed", 0, "seed of the first run; the others count on from it"),
        ("workers", cores, "processes that share the runs"),
    ):
        testbed.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} (default: {default})"
        )
    testbed.add_argument("--store", metavar="DIR", help="keep every study, in DIR/ROW/SEED")
    testbed.add_argument(
        "--json", type=Path, metavar="FILE", help="write the table and each run's final loss to FILE"
    )
    either = testbed.add_mutually_exclusive_group()
    either.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw Figures 1 and 2 of the paper (needs matplotlib)"
    )
    either.add_argument(
        "--dims", type=int, nargs="+", metavar="N", help="measure Figure 3 instead, in N dimensions each"
    )
    return parser


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A line that counts the runs, where somebody sees it."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(done: int, count: int) -> None:
        print(f"\r{done} of {count} runs", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(f"\r{'':40}\r", end="", file=sys.stderr, flush=True)


def _check_writable(file: Path) -> None:
    """Raise `ArgumentError` now rather than after the work."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise hoptim.ArgumentError(
            f"{str(file)!r} cannot be written: it is a folder, or not in one of yours."
        )


if __name__ == "__main__":
    sys.exit(main())
