"""The command line, as `hoptim` and as `python -m hoptim`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hoptim.errors import MissingExtra


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Without the program's name; None takes those of the process.

    Returns:
        The exit status: 0 fine, 1 something is wrong or there is no result yet, 2 for what cannot be
        done, 130 after Ctrl-C.
    """
    try:
        from hoptim.cli.app import main as run
    except MissingExtra as error:
        print(f"hoptim: {error}", file=sys.stderr)
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
