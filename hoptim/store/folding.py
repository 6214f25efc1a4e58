"""Folding: records of a journal into a state, with errors that say where."""

from __future__ import annotations

from collections.abc import Iterable

from hoptim.errors import NewerFormat, StudyDamaged
from hoptim.store.line_format import Record
from hoptim.store.state import State


def fold(state: State, records: Iterable[Record], name: str) -> None:
    """Add records to a state.

    Args:
        state: State by all records before them.
        records: Records in order.
        name: Name of the journal, for messages.

    Raises:
        StudyDamaged: One contradicts those before it.
        NewerFormat: One is of a later version.
    """
    try:
        for record in records:
            state.apply(record)
    except (StudyDamaged, NewerFormat) as error:
        raise type(error)(f"{name}, line {state.n + 1}: {error}") from error
