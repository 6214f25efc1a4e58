"""Functions and objects that a new process can import, or not."""

from __future__ import annotations

import io
import os
import sys
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any

from hoptim._text import printable
from hoptim.errors import ArgumentError


def require_importable(*objects: object) -> None:
    """Raise `ArgumentError` if a new process could not find what was defined in a notebook or at a prompt.

    Args:
        *objects: Objects to send to the process; one that cannot be pickled is left for the sending.
    """
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None or os.path.isfile(getattr(main, "__file__", None) or ""):
        return  # a new process imports the script
    names = _Names(io.BytesIO())
    try:
        names.dump(objects)
    except Exception:
        return
    if names.found:
        raise ArgumentError(
            f"{', '.join(names.found)} cannot be sent to a worker: what is defined in a notebook or at a "
            "prompt is in no file that a new process could import. Write it to a file beside the notebook, "
            "such as training.py with `%%writefile training.py`, and import it from there; or pass an "
            "executor that sends functions by value, such as a Dask client. Nothing was started."
        )


class _Names(ForkingPickler):
    """Pickler that notes which functions and classes are those of `__main__`."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.found: list[str] = []

    def reducer_override(self, obj: Any) -> Any:
        """Note the object and pickle it as ever."""
        if isinstance(obj, (FunctionType, type)) and obj.__module__ == "__main__":
            self.found.append(printable(obj.__name__))
        return NotImplemented
