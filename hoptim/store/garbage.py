"""Garbage collection, paused where it would find nothing or keep others waiting."""

from __future__ import annotations

import gc

LONG = 1 << 20  # bytes of records, some thousands


class collection_paused:
    """Pauses garbage collection until the end of a block, from its beginning or from a call of `begin` on.

    Where it is off already, it is left so; where threads do this at once, the first that ends turns it on.

    Args:
        size: Bytes of the records that are read in the block, of which few take no pause. Default: 0.
    """

    __slots__ = ("_pauses", "_size")

    def __init__(self, size: int = 0) -> None:
        self._size, self._pauses = size, False

    def __enter__(self) -> collection_paused:
        if self._size >= LONG:
            self.begin()
        return self

    def begin(self) -> None:
        """Pause it from now on."""
        if gc.isenabled():
            self._pauses = True
            gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._pauses:
            gc.enable()
