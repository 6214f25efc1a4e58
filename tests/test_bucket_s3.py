"""Checkpoints on a server of object storage that is slow, unreachable, full, or closed to us."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

from hoptim.errors import StoreError
from hoptim.store import lost
from hoptim.store.draft import Draft
from hoptim.store.remote import trouble
from hoptim.store.remote.cache import Cache
from hoptim.store.remote.remote_checkpoints import RemoteCheckpoints
from hoptim.store.remote.remote_orphans import RemoteOrphans
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from tests.bucket_server import CUT, HELD, MOTO, BucketServer, Failure, Proxy
from tests.builders import ROOT, records, saving, wait_until

pytest.importorskip("s3fs", reason="S3 needs the extra 's3'")
pytestmark = [
    pytest.mark.remote,
    pytest.mark.skipif(MOTO is None, reason="no moto_server on PATH, nor named by MOTO_SERVER"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # Python 3.12; fsspec has a thread
]

UUID, SECRET, PART = "0123456789abcdef", "wJalrXUtnFEMI", 5 << 20
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTING", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """A server."""
    server = BucketServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(server, monkeypatch):
    """A proxy before it, with a new bucket behind it."""
    server.restart()
    assert server.request("PUT", "/bucket") == 200
    proxy = Proxy(server.port)
    proxy.listen()
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": proxy.url}.items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.fail(None)
    proxy.refuse()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Have 10 MB uploaded in parts, and what fails tried again soon."""
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: PART)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setattr(trouble, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(trouble, "LONGEST_PAUSE", 0.2)


@pytest.fixture
def remote(proxy, tmp_path):
    """Checkpoints in the bucket."""
    return RemoteCheckpoints("s3://bucket/p", UUID, cache=Cache(tmp_path / "cache"))


@pytest.fixture
def elsewhere(proxy, tmp_path):
    """The same checkpoints as another machine sees them."""
    return RemoteCheckpoints("s3://bucket/p", UUID, cache=Cache(tmp_path / "other"))


def save_large(path):
    """Write 12 MB that are all different."""
    Path(path).write_bytes(b"".join(number.to_bytes(8, "big") for number in range(12 * PART // 5 // 8)))


def save_folder(path):
    """Write a large file and a small one."""
    (Path(path) / "a b").mkdir(parents=True)
    (Path(path) / "a b" / "+[é]?").write_text("x")
    save_large(Path(path) / "large")


def published(remote, number=3, token=17, save=None):
    """A checkpoint that was written and published."""
    draft = Draft.new(number, token)
    remote.write(draft, saving("weights") if save is None else save)
    return remote.publish(draft)


def state_after(token, held):
    """A state with a claim, held or released, and records after it."""
    state = State(StudyShape(2, 2, 0, 1))
    state.n = token + 1
    trial = TrialRecord(3, 1, 1, None, {}, [], None, 0, 0, 0.0, 0, 0, token=token)
    state.open.add(trial)
    if held:
        state.open.claim(trial, "w")
    return state


@pytest.mark.parametrize("save", [saving("weights"), save_large, save_folder])
def test_what_is_published_comes_back(remote, elsewhere, proxy, save):
    """Small, in parts, and as a folder; dropped, nothing is left of it."""
    found = published(remote, save=save)
    assert remote.is_unchanged(found)
    path = Path(elsewhere.fetch(found, elsewhere))
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    assert (sum(each.stat().st_size for each in files), len(files)) == (found.size, found.files)
    in_parts = any("partNumber=3" in path for _, path in proxy.seen)
    assert in_parts == ((found.size or 0) > 2 * PART)
    assert elsewhere.bucket.names() == {found.name}
    remote.drop([found.name])
    assert not elsewhere.is_there(found.name)  # looked up anew, whatever was listed before
    assert remote.bucket.names() == remote.bucket.uploading() == set()


@pytest.mark.parametrize(
    "failure",
    [
        Failure(503, "SlowDown", times=3), Failure(500, "InternalError", times=3), Failure(429, times=3),
        Failure(CUT, times=3), Failure(CUT, times=2, part="partNumber=2"),
        Failure(503, "SlowDown", times=2, methods=("POST",)),
        Failure(503, times=2, methods=("GET", "HEAD")),
    ],
)  # fmt: skip
def test_what_passes_is_ridden_out(remote, elsewhere, proxy, failure, caplog):
    """Throttling, faults and cut connections, at whatever request: the checkpoint is there and whole."""
    proxy.fail(failure)
    found = published(remote, save=save_large)
    assert proxy.failed == failure.times
    assert "It is tried again for" in caplog.text
    proxy.fail(failure._replace(methods=("GET", "HEAD"), part=""))
    elsewhere.fetch(found, elsewhere)
    assert proxy.failed == failure.times
    assert remote.is_unchanged(found)
    assert remote.bucket.names() == {found.name}
    assert SECRET not in caplog.text


def test_a_service_that_cannot_be_reached_is_waited_for(remote, proxy, monkeypatch):
    """An upload goes on once connections are accepted again."""
    monkeypatch.setattr(trouble, "LOOK", 0.0)  # as others may wait for a look, but nobody for an upload
    remote.is_there("1.1-00000000")
    proxy.refuse()
    with pytest.raises(StoreError, match="no answer"):
        remote.is_there("1.1-00000000")
    draft, found = Draft.new(3, 17), []
    remote.write(draft, save_large)
    thread = threading.Thread(target=lambda: found.append(remote.publish(draft)))
    thread.start()
    thread.join(1.0)
    assert found == []
    proxy.listen()
    thread.join(60.0)
    assert remote.is_unchanged(found[0])


@pytest.mark.parametrize("refuses", [True, False])
def test_nobody_waits_for_the_bucket_with_the_lock(remote, proxy, monkeypatch, refuses):
    """A checkpoint that cannot be looked at is not gone; no answer of the service is waited for."""
    monkeypatch.setattr(lost, "_LOOK_WITHIN", 0.1)
    state = state_after(17, held=False)
    state.saved[3] = published(remote)
    proxy.fail(Failure(HELD))
    if refuses:
        proxy.refuse()
    began = time.monotonic()
    assert not lost.is_gone(state, remote, 3)
    assert time.monotonic() - began < 10.0  # the service has 15 s to answer one request


@pytest.mark.parametrize(
    ("failure", "number", "said"),
    [
        (Failure(403, "AccessDenied"), errno.EACCES, "permission denied"),
        (Failure(403, "ExpiredToken", methods=("POST", "PUT")), errno.EACCES, "permission denied"),
        (Failure(507, "XMinioStorageFull", methods=("POST", "PUT")), errno.ENOSPC, "no space is left"),
        (Failure(507, "", part="partNumber=2"), errno.ENOSPC, "no space is left"),
        (Failure(404, "NoSuchBucket"), errno.ENOENT, "no such bucket"),
    ],
)
def test_what_does_not_pass_is_said_and_nothing_is_acknowledged(
    remote, proxy, failure, number, said, caplog
):
    """The claim is kept: told again when the cause is cured, the same draft is published."""
    draft = Draft.new(3, 17)
    remote.write(draft, save_large)
    proxy.fail(failure)
    with pytest.raises(StoreError, match=said) as raised:
        remote.publish(draft)
    assert raised.value.errno == number
    assert raised.value.__cause__ is raised.value.__context__ is None
    told = f"{raised.value}{''.join(traceback.format_exception(raised.value))}{caplog.text}"
    assert not any(
        secret in told for secret in (SECRET, "AKIATESTING", "secret-of-the-service", "botocore")
    )
    assert "tried again" not in caplog.text
    proxy.fail(None)
    assert remote.bucket.names() == set()
    assert remote.is_unchanged(remote.publish(draft))


def test_a_bucket_that_is_gone_does_not_look_like_lost_checkpoints(remote, server):
    """Else all of a study's checkpoints would be recorded as lost; and credentials may be missing, too."""
    found = published(remote)
    server.restart()
    objects = remote.bucket._objects
    for look in (remote.is_there, remote.bucket.remove, objects.remove, objects.digest):
        with pytest.raises(StoreError, match="no such bucket"):
            look(found.name)
    with pytest.raises(StoreError, match="no such bucket"):
        remote.is_whole(found)


def test_missing_credentials_are_said(proxy, tmp_path, monkeypatch):
    """Where the environment has none, that is said, not what the provider's library makes of it."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    remote = RemoteCheckpoints("s3://bucket/p", UUID, cache=Cache(tmp_path / "cache"))
    draft = Draft.new(3, 17)
    remote.write(draft, saving("x"))
    with pytest.raises(StoreError, match="Check the credentials") as raised:
        remote.publish(draft)
    assert raised.value.errno == errno.EACCES


def test_uploading_outlasts_a_service_that_is_away_for_longer_than_a_look(
    remote, elsewhere, proxy, monkeypatch
):
    """Nobody waits for a tell or for a download, so that each of their looks is tried as long as they."""
    monkeypatch.setattr(trouble, "LOOK", 0.0)
    proxy.fail(Failure(503, "SlowDown", times=2, methods=("GET", "HEAD")))
    found = published(remote)
    proxy.fail(Failure(503, "SlowDown", times=2, methods=("GET", "HEAD")))
    assert Path(elsewhere.fetch(found, elsewhere)).read_text() == "weights"
    proxy.fail(Failure(503, "SlowDown", times=2, methods=("GET", "HEAD")))
    assert elsewhere.is_whole(found)


@pytest.mark.parametrize("held", [False, True])
def test_a_killed_upload_leaves_nothing_that_counts(remote, proxy, tmp_path, held):
    """What it sent goes, once nobody holds the claim; while somebody does, it may be that one's."""
    code = (
        "import sys, s3fs.core; from pathlib import Path\n"
        "from tests.test_bucket_s3 import *\n"
        "s3fs.core.calculate_chunksize = lambda size, chunksize=None: PART\n"
        "remote = RemoteCheckpoints('s3://bucket/p', UUID, cache=Cache(Path(sys.argv[1])))\n"
        "published(remote, save=save_large)"
    )
    proxy.fail(Failure(HELD, times=1, part="partNumber=2"))
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], cwd=ROOT)
    wait_until(lambda: proxy.failed == 1, 60.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    proxy.fail(None)
    uploading = remote.bucket.uploading()
    assert len(uploading) == 1
    assert remote.bucket.names() == set()
    assert not remote.is_there(*uploading)
    drafts = tmp_path / "cache" / "work" / "checkpoints"
    assert len(os.listdir(drafts)) == 1
    orphans = RemoteOrphans(None, UUID, remote.bucket, remote.cache)
    orphans.remove(orphans.find(state_after(17, held)))
    assert remote.bucket.uploading() == (uploading if held else set())
    assert len(os.listdir(drafts)) == held


def test_a_folder_that_a_console_made_is_no_file(remote):
    """Some make an empty object whose key ends in a slash, to show a folder where none is."""
    found = published(remote, save=save_folder)
    fs = remote.bucket._objects._here[0]
    fs.call_s3("put_object", Bucket="bucket", Key=f"p/{UUID}/{found.name}/", Body=b"")
    assert remote.is_unchanged(found)


def test_a_worker_that_ends_with_an_error_does_not_wait_for_the_bucket(proxy, tmp_path):
    """At exit no connection can be made any more: what is left there is for the next worker."""
    code = (
        "import sys; from tests.builders import *\n"
        "for trial in study(sys.argv[1], checkpoints='s3://bucket/p'):\n"
        "    1 / 0"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "study")]
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert "ZeroDivisionError" in ran.stderr
    assert "Could not" not in ran.stderr
    assert records(tmp_path / "study")[-1]["op"] == "release"


def test_uploads_of_claims_that_were_taken_back_end(remote, proxy):
    """Whoever takes a claim back removes the parts that its worker sent."""
    key = f"p/{UUID}/3.17-0123abcd"
    fs = remote.bucket._objects._here[0]
    fs.call_s3("create_multipart_upload", Bucket="bucket", Key=key)
    fs.call_s3("create_multipart_upload", Bucket="bucket", Key=key.replace("3.17", "3.170"))
    remote.clear([(3, 17)])
    assert remote.bucket.uploading() == {"3.170-0123abcd"}


def test_a_fork_in_one_bucket_is_copied_by_the_service(remote, proxy, tmp_path):
    """Nothing is uploaded, and it is verified."""
    found = published(remote, save=save_folder)
    fork = RemoteCheckpoints("s3://bucket/q", "fedcba98", cache=Cache(tmp_path / "fork"))
    proxy.seen.clear()
    adopted = fork.adopt(remote.path(found.name), Draft.new(0, 1))
    assert adopted[1:] == found[1:]
    assert not any("partNumber" in path for _, path in proxy.seen)
    assert fork.is_unchanged(adopted)


def test_a_forked_child_has_connections_of_its_own(remote, elsewhere):
    """Parent and child publish and fetch, whoever was first, and neither breaks the other's."""
    first = published(remote)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            mine = published(remote, 4, 18)
            Path(elsewhere.fetch(mine, elsewhere)).read_text()
            elsewhere.fetch(first, elsewhere)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    second = published(remote, 5, 19)
    assert len(remote.bucket.names()) == 3
    assert Path(elsewhere.fetch(second, elsewhere)).read_text() == "weights"


def test_threads_may_publish_at_once(remote):
    """Each its own checkpoint, through the connections of one process."""
    found = []
    threads = [
        threading.Thread(target=lambda number=number: found.append(published(remote, number, 20 + number)))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert {each.name for each in found} == remote.bucket.names()
    assert all(remote.is_unchanged(each) for each in found)
    assert len(found) == 4
