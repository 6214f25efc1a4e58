"""The page on databases, followed with throw-away servers and two machines that share nothing else."""

import os
import subprocess
import sys

import pytest

import hoptim
from tests.bucket_server import MOTO, BucketServer
from tests.documents import DOCS, Reader, commands_in

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.remote,
    pytest.mark.skipif(MOTO is None, reason="there is no moto_server"),
]

s3fs = pytest.importorskip("s3fs", reason="the extra hoptim[s3] is not installed")


@pytest.fixture
def bucket(monkeypatch):
    """A server of object storage with a bucket, found by the environment."""
    service = BucketServer()
    service.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{service.port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert service.request("PUT", "/runs") == 200
    yield
    service.stop()


def test_the_page_can_be_followed_on_two_machines(server, bucket, tmp_path, monkeypatch):
    """The script runs in two homes at once; then all commands of the page work, and the copy is whole."""
    monkeypatch.setenv("STUDY", server.url("first"))
    monkeypatch.setenv("CHECKPOINTS", "s3://runs/first")

    def on_both():
        homes = [tmp_path / name for name in ("a", "b")]
        running = [
            subprocess.Popen(
                [sys.executable, "train.py"], cwd=tmp_path,
                env={**os.environ, **commands_in(tmp_path), "XDG_CACHE_HOME": str(home)},
            )
            for home in homes
        ]  # fmt: skip
        assert [process.wait(120) for process in running] == [0, 0]

    Reader(tmp_path, {"python train.py\n": on_both}).read((DOCS / "database.md").read_text())
    study = hoptim.load(server.url("first"))
    assert study.done
    copy = hoptim.load(tmp_path / "first")
    assert [t.value for t in copy.trials] == [t.value for t in study.trials]
    assert copy.check().findings == ()
    with study.pin() as path, copy.pin() as other, open(path, "rb") as one, open(other, "rb") as two:
        assert one.read() == two.read()
