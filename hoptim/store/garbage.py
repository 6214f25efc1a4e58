"""Garbage collection, paused while a long journal is folded: it would find nothing, again and again."""

from __future__ import annotations

import gc

LONG = 1 << 20  # bytes of records, some thousands


class collection_paused:
    """Pauses garbage collection for a block that makes many objects that stay.

    Where it is off already, it is left so; where threads do this at once, the first that ends turns it on.

    Args:
        size: Bytes of the records that are read; few take no pause.
    """

    __slots__ = ("_pauses",)

    def __init__(self, size: int) -> None:
        self._pauses = size >= LONG and gc.isenabled()

    def __enter__(self) -> None:
        if self._pauses:
            gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._pauses:
            gc.enable()
