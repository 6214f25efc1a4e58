"""Signs of life: what a process shows where a study is kept, so that others see that it lives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class Sign(NamedTuple):
    """One look at a sign of life.

    Attributes:
        about: Bytes that its process wrote of itself when it showed the sign.
        stamp: Value that changes with each beat, and is compared with nothing but earlier ones.
        silent: Seconds since the last beat, by the clock of where the study is kept.
    """

    about: bytes
    stamp: object
    silent: float


class Signs(Protocol):
    """Signs of life of one kind, by names that nobody uses twice.

    A beat says that a process lives at this moment. Nobody is judged here: `Watch` compares looks.
    """

    def show(self, names: Sequence[str], about: bytes) -> None:
        """Show some signs, whose first beat this is.

        Args:
            names: Names of the signs.
            about: Bytes that others read of the process, at most 4,096.

        Raises:
            StoreError: They cannot be shown; some may be.
        """

    def hide(self, names: Collection[str]) -> None:
        """Take signs away; none there is fine, and so is one that cannot be taken away now.

        Within a hold of the study's lock, none is away before what was appended in it is durable.

        Args:
            names: Names of the signs.
        """

    def beat(self, names: Collection[str]) -> int:
        """Beat for some signs, and return how many of them are still shown.

        Safe in a thread of its own, whatever others of this process wait for.

        Args:
            names: Names of the signs.

        Raises:
            StoreError: It is not known; the beat may be missed.
        """

    def is_shown(self, name: str) -> bool:
        """Return whether a sign of this process is still there, and was not taken away by another one.

        Args:
            name: Name of the sign.

        Raises:
            StoreError: It is not known.
        """

    def look(self, name: str) -> Sign | None:
        """Return a sign as it is now, None where it is not shown.

        Args:
            name: Name of the sign.

        Raises:
            StoreError: It cannot be looked at.
        """

    def looks(self, names: Collection[str]) -> dict[str, Sign]:
        """Return those of some signs that can be seen now; each is looked at, if not all can be at once.

        Args:
            names: Names of the signs.
        """

    def names(self) -> list[str]:
        """Return the names of all signs that are shown.

        Raises:
            StoreError: They cannot be listed.
        """
