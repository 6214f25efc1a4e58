"""Group of all commands: their order in the help, and the exit status of each error."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.exceptions import Exit

import hoptim
from hoptim._text import printable_lines
from hoptim.cli.best import best
from hoptim.cli.check import check, check_dir
from hoptim.cli.completion import VARIABLE, completion
from hoptim.cli.copy import copy
from hoptim.cli.dashboard import dashboard
from hoptim.cli.export import export
from hoptim.cli.export_checkpoint import export_checkpoint
from hoptim.cli.fork import fork
from hoptim.cli.launch import run
from hoptim.cli.lineage import lineage
from hoptim.cli.listing import ls
from hoptim.cli.log import log
from hoptim.cli.output import discard, discarded_if_failing, open_closed_streams, print_error
from hoptim.cli.picture import plot, report
from hoptim.cli.remote import ask, beat, fail, tell
from hoptim.cli.schedule import schedule
from hoptim.cli.status import status, watch
from hoptim.cli.stop import resume, stop
from hoptim.errors import ArgumentError, HoptimError, MissingExtra

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Look at a run": (
        ls, status, watch, best, schedule, lineage, plot, report, dashboard, export, export_checkpoint, log,
    ),
    "Train": (run, stop, resume, fork),
    "Train from a shell or another language": (ask, beat, tell, fail),
    "Look after the files": (check, check_dir, copy),
    "Set up": (completion,),
}  # fmt: skip
_LOOKS = {None, *(command.name for command in SECTIONS["Look at a run"])}  # None: the help
_INTERRUPTED, _NO_READER = 130, 141  # as a shell has it for SIGINT and SIGPIPE


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [str(command.name) for commands in SECTIONS.values() for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                lines = [(str(c.name).ljust(width), c.get_short_help_str(100)) for c in commands]
                formatter.write_dl(lines)

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):  # a terminal may lack letters of a name
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        with _exit_statuses(ctx):
            super().invoke(ctx)
            sys.stdout.flush()

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        with _exit_statuses():  # --help and --version print here
            return super().make_context(*args, **named)


@contextmanager
def _exit_statuses(ctx: click.Context | None = None) -> Iterator[None]:
    """Print an error on one line of standard error, and turn it into its exit status."""
    try:
        yield
    except HoptimError as error:
        print_error(error)
        raise Exit(2 if isinstance(error, (ArgumentError, MissingExtra)) else 1) from None
    except KeyboardInterrupt:
        raise Exit(_INTERRUPTED) from None
    except OSError as error:
        if error.filename is not None:
            raise
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError) and (ctx is None or ctx.invoked_subcommand in _LOOKS):
            raise Exit(_NO_READER) from None  # as in `hoptim export DIR | head`: its reader has enough
        print_error(f"The output could not be written: {error.strerror or error}.")
        raise Exit(1) from None


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine; 1 something is wrong, or there is no result yet; 2 wrong usage, or no "
    "such study; 130 after Ctrl-C. Run a command with -h for more.",
)
@click.version_option(hoptim.__version__, prog_name="hoptim")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Look at runs of population based training while they go on, and steer them.

    DIR is the directory of a study. Looking at one writes nothing and takes no lock.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(2)


for _command in (command for section in SECTIONS.values() for command in section):
    commands.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Words of the command line without the program's name; None takes those of the process.
    """
    open_closed_streams()
    try:
        status = commands.main(arguments, standalone_mode=False, complete_var=VARIABLE)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        with discarded_if_failing(sys.stderr):
            click.echo(printable_lines(text.getvalue()), err=True, nl=False)
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    return int(status or 0)
