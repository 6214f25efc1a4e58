"""A summary: what an optimizer needs of all trials, kept up to date instead of read anew at each ask."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hoptim.optimizers.population import Row


class Summary(ABC):
    """What an optimizer needs of all trials, so that an ask of a long study costs what one of a short does.

    `View.summary` makes it, and gives it each trial once when it was proposed and once when it has ended.
    A trial that was trained and not valued is one with those after it up to a value: `begun` is given
    the first of them, `ended` the last.

    Like the history it is a function of the trials alone: the order in which they come carries no
    meaning, and it may be made anew at any time.
    """

    @abstractmethod
    def begun(self, trial: Row) -> None:
        """Add a trial that was proposed; its loss is not to be read yet."""

    @abstractmethod
    def ended(self, trial: Row) -> None:
        """Add the outcome of a trial that was begun."""
