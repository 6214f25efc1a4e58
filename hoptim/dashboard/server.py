"""The server of the dashboard, which this machine alone can reach."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence

import uvicorn

from hoptim import ArgumentError
from hoptim._paths import study_place
from hoptim.dashboard.application import application
from hoptim.dashboard.studies import Studies
from hoptim.store.places import require_url

_HOST = "127.0.0.1"
_PORTS = range(8585, 8605)  # the first that is free, so that a tunnel finds the same one each time


def serve(
    places: Sequence[str | os.PathLike[str]],
    port: int | None = None,
    tell: Callable[[str], object] = print,
) -> None:
    """Show studies in a browser, live, until Ctrl-C; writes nothing.

    Args:
        places: Directories of studies, or folders that have some in them or get some later; URLs of
            studies in a database, or of the database, for all in it.
        port: Port of 127.0.0.1, 0 for any that is free. Default: None, the first of 8585 to 8604 that is
            free.
        tell: Function that is called with the address once it can be opened. Default: print.

    Raises:
        ArgumentError: No such folder, or the port is taken.
    """
    found = [study_place(place) for place in places]
    if not found:
        raise ArgumentError("A dashboard needs at least one folder, found none.")
    for place in found:
        if isinstance(place, str):
            require_url(place)
        elif not place.is_dir():
            raise ArgumentError(f"{str(place)!r} is not a directory.")
    token = secrets.token_urlsafe()
    with _listening(_PORTS if port is None else [port]) as listening:
        tell(f"http://{_HOST}:{listening.getsockname()[1]}/?token={token}")
        config = uvicorn.Config(
            application(Studies(found), token),
            lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def _listening(ports: Sequence[int]) -> socket.socket:
    """Return a socket that listens at the first port that is free."""
    for port in ports:
        try:
            return socket.create_server((_HOST, port))
        except OSError as error:
            refused = error
    raise ArgumentError(
        f"Port {ports[0]}{f' to {ports[-1]}' if len(ports) > 1 else ''} of {_HOST} cannot be used: "
        f"{refused.strerror}. Name another one, or 0 for any that is free."
    )
