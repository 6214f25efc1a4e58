"""The command line: one file for each command, or for a few that belong together."""

from hoptim.errors import MissingExtra

try:
    import click  # noqa: F401 - said once, for all commands
    import rich  # noqa: F401 - this alone takes no time; what takes some is imported where it is used
except ImportError as error:
    raise MissingExtra(
        "The command line needs click and rich, which are not installed: pip install 'hoptim[cli]'."
    ) from error
