"""The command line: `python -m hoptim.benchmarks rosenbrock`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hoptim
from hoptim.benchmarks import mixed, report, rosenbrock
from hoptim.benchmarks.run_options import add_amounts, add_file, add_store, amounts, check_files
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
    began = time.monotonic()
    try:
        with_result = options.work(options)
        print(f"\n{time.monotonic() - began:.1f} s, --workers {options.workers}")
        with_result()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except hoptim.ArgumentError as error:
        parser.error(str(error))
    except (hoptim.HoptimError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def _rosenbrock(options: argparse.Namespace) -> Callable[[], None]:
    setup = rosenbrock.Setup(**amounts(options, "steps"), store=options.store)
    check_files(options)
    if options.plot is not None:
        from hoptim.benchmarks import figure3, plot  # before the work: a missing extra is said at once
    with _progress() as progress:
        if options.dims is None:
            rows = rosenbrock.table3(setup, progress)
        else:
            rows = rosenbrock.figure3(options.dims, setup, progress)
    print(f"{report.heading(setup)}\n")
    print(report.table3(rows) if options.dims is None else report.figure3(rows))
    draw = None
    if options.plot is not None:
        draw = partial(plot.draw if options.dims is None else figure3.draw, rows)
    return partial(_write, options, partial(report.to_json, setup, rows), draw)


def _mixed(options: argparse.Namespace) -> Callable[[], None]:
    setup = rosenbrock.Setup(**amounts(options, "steps"), store=options.store)
    check_files(options)
    with _progress() as progress:
        rows = mixed.measure(setup, progress)
    print(f"{report.heading(setup, 'Mixed space')}\n\n{mixed.table(rows)}")
    return partial(_write, options, lambda: report.as_json(setup, mixed.to_json(rows)))


def _horizon(options: argparse.Namespace) -> Callable[[], None]:
    from hoptim.benchmarks import horizon, horizon_report

    chosen = tuple(options.problems or horizon.TESTBEDS), options.intervals and tuple(options.intervals)
    setup = horizon.Setup(**amounts(options), problems=chosen[0], intervals=chosen[1])
    check_files(options)
    if options.plot is not None:
        from hoptim.benchmarks import horizon_plot
    with _progress() as progress:
        found = horizon.measure(setup, progress)
    print(f"{horizon_report.heading(setup)}\n\n{horizon_report.tables(found)}")
    draw = None if options.plot is None else partial(horizon_plot.draw, found)
    return partial(_write, options, partial(horizon_report.to_json, setup, found), draw)


def _write(
    options: argparse.Namespace, to_json: Callable[[], str], draw: Callable[[Path], None] | None = None
) -> None:
    """Into the files that were asked for."""
    if options.json is not None:
        options.json.write_text(to_json(), encoding="ascii")
    if draw is not None:
        draw(options.plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hoptim.benchmarks", description="Testbeds with results that are known."
    )
    testbeds = parser.add_subparsers(title="testbeds", required=True, metavar="TESTBED")
    _add_rosenbrock(testbeds)
    _add_mixed(testbeds)
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
    add_amounts(testbed, runs=20, steps=100)
    add_store(testbed)
    add_file(testbed, "json", "write the table and each run's final loss to FILE")
    add_file(testbed, "plot", "draw Figures 1 and 2 of the paper, with --dims Figure 3 (needs matplotlib)")
    testbed.add_argument(
        "--dims", type=int, nargs="+", metavar="N", help="measure Figure 3 instead, in N dimensions each"
    )


def _add_mixed(testbeds: Any) -> None:
    testbed = testbeds.add_parser(
        "mixed",
        help="a function of floats, whole numbers and choices that depend on each other",
        description="Measures which optimizers find the best categories, and how close they come to the "
        "minimum, in a space of all kinds of hyperparameters.",
    )
    testbed.set_defaults(work=_mixed)
    add_amounts(testbed, runs=20, steps=100)
    add_store(testbed)
    add_file(testbed, "json", "write the table and each run's final loss to FILE")


def _add_horizon(testbeds: Any) -> None:
    testbed = testbeds.add_parser(
        "horizon",
        help="short-sightedness: three problems on which greedy choices lose",
        description="Measures final losses by method and by the interval between decisions on three small "
        "problems with known answers, on which what is best for the next steps is bad in the end.",
    )
    testbed.set_defaults(work=_horizon)
    add_amounts(testbed, runs=5)
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
    add_file(testbed, "json", "write the tables and each run's final loss to FILE")
    add_file(testbed, "plot", "draw losses and schedules (needs matplotlib)")


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


if __name__ == "__main__":
    sys.exit(main())
