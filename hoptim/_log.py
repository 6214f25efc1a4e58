"""The library's log, `logging.getLogger("hoptim")`, whose messages cannot steer a terminal."""

from __future__ import annotations

import logging

from hoptim._text import printable_lines


def clean(record: logging.LogRecord) -> bool:
    """Escape what is not printable in a message before any handler sees it; return True, to keep it."""
    record.msg, record.args = printable_lines(record.getMessage()), ()
    return True


logging.getLogger("hoptim").addFilter(clean)
