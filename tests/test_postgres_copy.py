"""Copies of studies into a database, whose server is lost at the last moment."""

from __future__ import annotations

import pytest

import hoptim
from tests.builders import study

pytest.importorskip("psycopg")

from tests.postgres_studies import Made, Proxy

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("arrives", [True, False])
def test_a_copy_whose_commit_is_lost_is_there_or_not(server, tmp_path, arrives):
    """That it is not known is said, and what to do; that finds the copy, or makes it."""
    made, there = study(tmp_path / "a", size=2, steps=1), Made(server)
    proxy = Proxy(server.port)
    url = f"{server.url(there.name, proxy.port)}-copy"
    proxy.trigger, proxy.forward = b"COMMIT", arrives
    with pytest.raises(hoptim.StoreError, match=r"not known whether .*-copy'.* run the same call"):
        hoptim.copy(made.path, url)
    assert proxy.trigger is None
    if arrives:
        with pytest.raises(hoptim.ArgumentError, match="There is a study at"):
            hoptim.copy(made.path, url)
    else:
        hoptim.copy(made.path, url)
    assert hoptim.load(url).uuid == made.uuid
    proxy.close()
