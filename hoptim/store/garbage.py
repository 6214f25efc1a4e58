"""Garbage collection, paused while a long journal is folded: it would find nothing, again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

LONG = 1 << 20  # bytes of records, some thousands


@contextmanager
def collection_paused(size: int) -> Iterator[None]:
    """Pause garbage collection for a block that makes many objects that stay.

    Where it is off already, it is left so; where threads do this at once, the first that ends turns it on.

    Args:
        size: Bytes of the records that are read; few take no pause.
    """
    if size < LONG or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
