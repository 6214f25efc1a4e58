"""hoptim: population based training that leaves the training loop to you."""

import sys
import typing

if sys.platform == "win32":
    raise ImportError(
        "hoptim needs POSIX file locks, which Windows does not have. It works in the Windows Subsystem for "
        "Linux (WSL), with studies on the file system of that Linux."
    )

from hoptim import _log  # noqa: F401 - from here on the log is safe for a terminal

__version__ = "0.1.0"

if typing.TYPE_CHECKING:
    from hoptim._public import *  # noqa: F403
    from hoptim._public import __all__ as __all__
else:  # a type checker would take any name for one that there is

    def __getattr__(name):
        """Load the public names when the first is used: who imports hoptim may not come to use it."""
        if name == "__all__" or not name.startswith("_"):
            from hoptim import _public

            globals().update({each: getattr(_public, each) for each in ["__all__", *_public.__all__]})
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__getattr__("__all__")})
