"""`hoptim dashboard`: studies in a browser, live."""

from __future__ import annotations

import click

from hoptim.cli import options


@click.command()
@click.argument("places", metavar="DIR...", nargs=-1, required=True, type=options.PLACE)
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N",
    help="Port of 127.0.0.1; 0 for any that is free. Default: the first of 8585 to 8604 that is free.",
)  # fmt: skip
def dashboard(places: tuple[options.Place, ...], port: int | None) -> None:
    """Show studies live, in a browser on this machine.

    DIR is a study, or a folder with studies in it and below it, among them those that come later; or the
    URL of a study in a database, or of the database, for all in it. It prints the address, whose token lets
    in whoever has it, serves until Ctrl-C, and writes nothing. Needs the extra 'dashboard'.
    """
    from hoptim.dashboard import serve

    serve(places, port, click.echo)
