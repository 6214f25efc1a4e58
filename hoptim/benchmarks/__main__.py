"""The command line: `python -m hoptim.benchmarks rosenbrock` and `horizon`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
        options.work(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except hoptim.ArgumentError as error:
        parser.error(str(error))
    except (hoptim.HoptimError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def _rosenbrock(options: argparse.Namespace) -> None:
    setup = rosenbrock.Setup(**_amounts(options, "steps"), store=options.store)
    _check_files(options)
    if options.plot is not None:
        from hoptim.benchmarks import plot  # before the work: a missing extra is said at once
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


def _horizon(options: argparse.Namespace) -> None:
    from hoptim.benchmarks import horizon, horizon_report

    chosen = tuple(options.problems or horizon.TESTBEDS), options.intervals and tuple(options.intervals)
    setup = horizon.Setup(**_amounts(options), problems=chosen[0], intervals=chosen[1])
    _check_files(options)
    if options.plot is not None:
        from hoptim.benchmarks import horizon_plot
    began = time.monotonic()
    with _progress() as progress:
        found = horizon.measure(setup, progress)
    print(f"{horizon_report.heading(setup)}\n\n{horizon_report.tables(found)}")
    print(f"\n{time.monotonic() - began:.1f} s, --workers {setup.workers}")
    if options.json is not None:
        options.json.write_text(horizon_report.to_json(setup, found), encoding="ascii")
    if options.plot is not None:
        horizon_plot.draw(found, options.plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hoptim.benchmarks", description="Testbeds with results that are known."
    )
    testbeds = parser.add_subparsers(title="testbeds", required=True, metavar="TESTBED")
    _add_rosenbrock(testbeds)
    _add_horizon(testbeds)
    return parser


def _add_rosenbrock(testbeds: Any) -> None:
    testbed = testbeds.add_parser(
        "rosenbrock",
        help="Table 3 and Figures 1 to 3 of the ROMUL paper",
        description="Measures how close optimizers come to the minimum of Rosenbrock's function when the "
        "hyperparameters are the point itself, beside the figures of Table 3 of the ROMUL paper.",
    )
    testbed.set_defaults(work=_rosenbrock)
    _add_amounts(testbed, runs=20, steps=100)
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


def _add_horizon(testbeds: Any) -> None:
    testbed = testbeds.add_parser(
        "horizon",
        help="short-sightedness: three problems on which greedy choices lose",
        description="Measures final losses by method and by the interval between decisions on three small "
        "problems with known answers, on which what is best for the next steps is bad in the end.",
    )
    testbed.set_defaults(work=_horizon)
    _add_amounts(testbed, runs=5)
    testbed.add_argument(
        "--problems", nargs="+", metavar="NAME",
        help="some of quadratic, deceptive and regularisation (needs scikit-learn); all by default",
    )  # fmt: skip
    testbed.add_argument(
        "--intervals",
        type=int,
        nargs="+",
        metavar="N",
        help="steps between decisions, instead of each problem's",
    )
    testbed.add_argument(
        "--json", type=Path, metavar="FILE", help="write the tables and each run's final loss to FILE"
    )
    testbed.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw losses and schedules (needs matplotlib)"
    )


def _add_amounts(testbed: argparse.ArgumentParser, **defaults: int) -> None:
    """Options for how much is run, in the order in which help lists them."""
    cores: int = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    for name, default, meaning in (
        ("runs", defaults["runs"], "runs of each row, at least 2"),
        ("steps", defaults.get("steps"), "steps of each member"),
        ("members", 16, "members of each population"),
        ("seed", 0, "seed of the first run; the others count on from it"),
        ("workers", cores, "processes that share the runs"),
    ):
        if default is not None:
            testbed.add_argument(
                f"--{name}", type=int, default=default, metavar="N", help=f"{meaning} (default: {default})"
            )


def _amounts(options: argparse.Namespace, *more: str) -> dict[str, int]:
    return {name: getattr(options, name) for name in ("runs", "members", "seed", "workers", *more)}


def _check_files(options: argparse.Namespace) -> None:
    """Raise now rather than after the work where a file cannot be written or drawn."""
    for file in filter(None, (options.json, options.plot)):
        _check_writable(file)
    if options.plot is not None:
        from hoptim.plot import check_format

        check_format(options.plot)


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
