"""Troubles of object storage: what passes is tried again, the rest is said at once, and no secret ever."""

from __future__ import annotations

import errno
import logging

import pytest

from hoptim.errors import ArgumentError, CheckpointError, StoreError
from hoptim.store.locking.patience import limited
from hoptim.store.remote import trouble
from hoptim.store.remote.address import Address
from hoptim.store.remote.trouble import Trouble, persistently

SECRET = "wJalrXUtnFEMI"


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it go on."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock in the place of the system's."""
    clock = Clock()
    monkeypatch.setattr(trouble, "time", clock)
    return clock


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"An error occurred ({code}): {SECRET}")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class HTTPClientError(Exception):
    """As botocore raises it, with an endpoint that has a password."""


def answered(code: str, status: int, kind: type[OSError] = OSError) -> OSError:
    """What s3fs makes of an answer."""
    error = kind(errno.EIO, SECRET)
    error.__cause__ = ClientError(code, status)
    return error


TROUBLES = [
    (answered("SlowDown", 503), errno.EBUSY, True),
    (answered("ThrottlingException", 400), errno.EBUSY, True),
    (answered("InternalError", 500), errno.EBUSY, True),
    (answered("429", 429), errno.EBUSY, True),
    (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), errno.ETIMEDOUT, True),
    (TimeoutError(SECRET), errno.ETIMEDOUT, True),
    (HTTPClientError(f"https://user:{SECRET}@host"), errno.ETIMEDOUT, True),
    (OSError(errno.EBUSY, SECRET), errno.EBUSY, True),
    (answered("AccessDenied", 403, PermissionError), errno.EACCES, False),
    (ClientError("403", 403), errno.EACCES, False),
    (PermissionError(errno.EACCES, SECRET), errno.EACCES, False),
    (answered("NoSuchBucket", 404, FileNotFoundError), errno.ENOENT, False),
    (FileNotFoundError(SECRET), errno.ENOENT, False),
    (answered("XMinioStorageFull", 507), errno.ENOSPC, False),
    (answered("QuotaExceeded", 403), errno.ENOSPC, False),
    (OSError(errno.ENOSPC, SECRET), errno.ENOSPC, False),
    (answered("NotImplemented", 501), errno.EIO, False),
    (ValueError(SECRET), errno.EIO, False),
]


@pytest.mark.parametrize(("error", "number", "passes"), TROUBLES)
def test_what_a_refusal_means(error, number, passes):
    """Each kind has its number, passes or does not, and what the library says is not repeated."""
    found = Trouble.of(error)
    assert (found.errno, found.passes) == (number, passes)
    assert SECRET not in found.why


@pytest.mark.parametrize("error", [error for error, _, passes in TROUBLES if not passes])
def test_what_does_not_pass_is_said_at_once(error, clock):
    """No pause, a whole sentence, and nothing chained that could have a secret in it."""

    def call() -> None:
        raise error

    with pytest.raises(StoreError, match=r"Could not look at 's3://bucket'.*again\.$") as raised:
        persistently("look at", "s3://bucket", 100.0, call)
    assert clock.slept == []
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert SECRET not in str(raised.value)


def test_what_passes_is_tried_again_with_growing_pauses(clock, caplog):
    """Each time it is logged why, and what comes in the end is returned."""
    caplog.set_level(logging.DEBUG, "hoptim")
    answers = [answered("SlowDown", 503)] * 6

    def call() -> str:
        if answers:
            raise answers.pop()
        return "there"

    assert persistently("look at", "s3://bucket", 100.0, call) == "there"
    assert len(clock.slept) == 6
    pauses = [trouble.FIRST_PAUSE * 2**count for count in range(6)]
    assert all(pause / 2 <= slept <= pause for pause, slept in zip(pauses, clock.slept, strict=True))
    assert "'s3://bucket' yet: the service is busy or has a fault (SlowDown, HTTP 503)" in caplog.text
    assert len(caplog.records) == 6
    assert SECRET not in caplog.text


def test_patience_ends(clock):
    """What does not pass in time is raised, with the time that it was tried."""

    def call() -> None:
        raise ConnectionResetError(SECRET)

    with pytest.raises(StoreError, match="It was tried for 180 s") as raised:
        persistently("upload", "s3://bucket", trouble.TRANSFER, call)
    assert clock.now == trouble.TRANSFER
    assert raised.value.errno == errno.ETIMEDOUT
    assert SECRET not in str(raised.value)


def test_what_is_limited_is_not_tried_for_longer(clock):
    """A call in which somebody waits for more than this one ends with the patience for all of it."""

    def call() -> None:
        raise ConnectionResetError(SECRET)

    with pytest.raises(StoreError, match="It was tried for 0 s"), limited(0.0):
        persistently("upload", "s3://bucket", trouble.TRANSFER, call)
    assert clock.slept == []


def test_what_hoptim_says_itself_is_left_as_it_is(clock):
    """An error of the library's own within a call is no trouble of the service."""

    def call() -> None:
        raise CheckpointError("There is none.")

    with pytest.raises(CheckpointError, match="There is none"):
        persistently("look at", "s3://bucket", 100.0, call)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://user:{SECRET}@bucket/p", f"s3://{SECRET}@bucket", f"abfs://c:{SECRET}@account.net/p",
        f"https://host/bucket?X-Amz-Signature={SECRET}", f"s3://bucket/p#{SECRET}", f"user:{SECRET}@bucket",
    ],
)  # fmt: skip
def test_secrets_in_a_url_are_refused_and_not_repeated(url):
    """Credentials belong elsewhere; what was given may end in a log."""
    with pytest.raises(ArgumentError) as raised:
        Address.of(url)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("url", ["", "bucket/p", "s3:/bucket", "s3://", "s3:///", "cache::s3://b", 3, None])
def test_what_names_no_place_is_refused(url):
    """A URL has a protocol and a place, and no other URL in it."""
    with pytest.raises(ArgumentError, match="s3://bucket/prefix"):
        Address.of(url)


def test_a_url_is_kept_as_it_is():
    """An account of Azure is no secret; only a slash at the end goes."""
    assert Address.of("S3://bucket/p/").url == "s3://bucket/p"
    assert Address.of("abfs://box@account.dfs.core.windows.net/p").protocol == "abfs"
