"""A page on this machine that shows studies while they train; reads them, and changes nothing."""

from __future__ import annotations

from hoptim.errors import MissingExtra

try:
    import starlette  # noqa: F401 - its absence is explained here, once
    import uvicorn  # noqa: F401
except ImportError as error:
    raise MissingExtra.of(
        "The dashboard needs starlette and uvicorn, which are not installed", "dashboard"
    ) from error

from hoptim.dashboard.server import serve

__all__ = ["serve"]
