"""Repeating of operations whose hold of the study's lock was lost before anything was recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from hoptim.errors import HoldLost

log = logging.getLogger("hoptim")

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TIMES = 10  # each time others appended while this process stood still


def repeated(operation: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return an operation that is done again when its hold is lost, by what is recorded then."""

    @wraps(operation)
    def run(*args: _P.args, **keywords: _P.kwargs) -> _R:
        for _ in range(_TIMES - 1):
            try:
                return operation(*args, **keywords)
            except HoldLost as error:
                log.warning("%s It is done again.", error)
        return operation(*args, **keywords)

    return run
