"""The command line: `python -m hoptim check DIR` and `python -m hoptim check-dir DIR`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hoptim.check.directory import examine
from hoptim.check.inspection import check
from hoptim.check.repair import repair
from hoptim.errors import ArgumentError, HoptimError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Without the program's name; None takes those of the process.

    Returns:
        The exit status: 0 when nothing is wrong, 1 when something is, 2 for what cannot be done.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return _check(options) if options.command == "check" else _check_dir(options)
    except HoptimError as error:
        print(f"hoptim: {error}", file=sys.stderr)
        return 2 if isinstance(error, ArgumentError) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hoptim",
        description="Population based training: look after the directories of studies.",
        epilog="Exit status: 0 nothing is wrong, 1 something is, 2 it could not be done.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser(
        "check", help="list everything that is wrong with a study's directory",
        description="List everything that is wrong with a study's directory. Others may train meanwhile. "
        "Exit status: 0 no errors, though there may be leftovers; 1 errors; 2 no study.",
    )  # fmt: skip
    command.add_argument("folder", type=Path, metavar="DIR", help="directory of the study")
    command.add_argument(
        "--repair", action="store_true",
        help="copy study.json and the journal, then cut off an interrupted append and move leftovers "
        "aside; nothing else is touched and nothing deleted",
    )  # fmt: skip
    command.add_argument(
        "--single-host", action="store_true",
        help="your word that all processes of the study run on this machine, as for Study",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print JSON")
    command = commands.add_parser(
        "check-dir", help="test whether a directory is fit for a study",
        description="Test whether a directory is fit for a study, also from several machines at once. "
        "Works in a hidden folder of its own and removes it. Exit status: 0 fit; 1 not; 2 no directory.",
    )  # fmt: skip
    command.add_argument("folder", type=Path, metavar="DIR", help="directory to test")
    command.add_argument(
        "--machines", type=int, default=1, metavar="N",
        help="wait until this command runs N times on the same directory, then test between them",
    )  # fmt: skip
    command.add_argument(
        "--minutes", type=float, default=5.0, metavar="M", help="wait so long for the others (default: 5)"
    )
    return parser


def _check(options: argparse.Namespace) -> int:
    folder = options.folder.absolute()
    report = (repair if options.repair else check)(folder, single_host=options.single_host)
    print(json.dumps(report.to_json(), indent=1) if options.json else report)
    return 0 if report.ok else 1


def _check_dir(options: argparse.Namespace) -> int:
    fit = True
    with closing(examine(options.folder.absolute(), options.machines, options.minutes * 60)) as verdicts:
        for verdict in verdicts:
            print(verdict, flush=True)
            fit = fit and verdict.ok
    print("The directory is fit for a study." if fit else "The directory is NOT fit for a study.")
    return 0 if fit else 1


if __name__ == "__main__":
    sys.exit(main())
