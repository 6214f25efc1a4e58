"""Command line: one file for each command, or for a few that belong together."""

from hoptim.errors import MissingExtra

try:
    import click  # noqa: F401 - its absence is explained here, once for all commands
    import rich  # noqa: F401 - cheap; its slow modules are imported where they are used
except ImportError as error:
    raise MissingExtra.of(
        "The command line needs click and rich, which are not installed", "cli"
    ) from error
