"""Checks of studies in a database while others train."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("psycopg")

from hoptim.store.check import contents
from tests.builders import advance, study

pytestmark = pytest.mark.postgres


def test_what_is_dropped_during_a_check_is_not_missing(server, tmp_path, monkeypatch):
    """A checkpoint that goes between the look at records and that at the bucket is no error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = server.url(f"check-{os.urandom(4).hex()}")
    made, absent = study(url, checkpoints=f"file://{tmp_path}/bucket"), contents.absent
    advance(made)

    def overtaken(*arguments):
        advance(made)
        advance(made)
        return absent(*arguments)

    monkeypatch.setattr(contents, "absent", overtaken)
    report = made.check()
    assert report.ok, report
    assert report.records == len(list(made._session.backend.lines()))
