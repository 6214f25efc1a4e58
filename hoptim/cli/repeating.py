"""Looks at a study that are repeated until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoptim.analysis.status import Status
    from hoptim.study import Study


def statuses(study: Study, every: float) -> Iterator[Status]:
    """Yield the status of a study repeatedly, for the last time when it has ended.

    Args:
        study: Study to look at; each look reads only new records.
        every: Seconds between two looks.
    """
    while True:
        found = study.status()
        yield found
        if found.ended:
            return
        time.sleep(every)
