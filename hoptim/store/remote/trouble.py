"""Troubles of object storage: what a refused call means, and which calls are tried again."""

from __future__ import annotations

import errno
import logging
import os
import random
import re
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from hoptim.errors import HoptimError, StoreError
from hoptim.store.locking.patience import limit

log = logging.getLogger("hoptim")

TRANSFER = 180.0  # seconds that an upload or a download is tried again
LOOK = 20.0  # seconds that anything else is tried again, as others may wait for it
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds; shortened by up to a half, so that workers spread

_BUSY = re.compile(
    "slow ?down|throttl|too ?many|limit ?exceeded|requesttimeout|internalerror|unavailable", re.IGNORECASE
)
_FULL = re.compile("storagefull|quotaexceeded|insufficientstorage|nospace", re.IGNORECASE)
_NO_BUCKET = re.compile("nosuchbucket|containernotfound", re.IGNORECASE)
_CONNECTION = {  # classes of Python, botocore and aiohttp, by name since the latter need not be there
    "ConnectionError", "TimeoutError",
    "HTTPClientError", "ClientConnectionError", "ClientPayloadError", "IncompleteReadError",
    "ResponseStreamingError", "ResponseParserError",
}  # fmt: skip
_NO_CREDENTIALS = {
    "CredentialRetrievalError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
}
_PASSING = {
    errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED,
    errno.EPIPE, errno.EHOSTUNREACH, errno.ENETUNREACH, getattr(errno, "EREMOTEIO", errno.EIO),
}  # fmt: skip
_ADVICE = {
    errno.EACCES: "Check the credentials in the environment, and what they are allowed to do there.",
    errno.ENOENT: "Make the bucket, or correct the URL.",
    errno.ENOSPC: "Make room there.",
    errno.ETIMEDOUT: "Check the network and the endpoint, which AWS_ENDPOINT_URL may name.",
}

T = TypeVar("T")


class Trouble(NamedTuple):
    """What a refused call means.

    Attributes:
        errno: Number of the error.
        why: Cause, without anything that the provider's library said, which may have secrets in it.
        passes: True if the same call may succeed a little later.
    """

    errno: int
    why: str
    passes: bool

    @classmethod
    def of(cls, error: BaseException) -> Trouble:
        """Return what an exception means, of whatever library."""
        code, status = _answered(error)
        names = {kind.__name__ for kind in type(error).__mro__}
        number = error.errno if isinstance(error, OSError) else None
        said = ", ".join([*([code] if code else []), *([f"HTTP {status}"] if status else [])])
        cut = bool(names & _CONNECTION)
        denied = isinstance(error, PermissionError) or bool(names & _NO_CREDENTIALS)
        busy = status in (408, 429) or (status >= 500 and status != 501) or bool(_BUSY.search(code))
        absent = status == 404 or isinstance(error, FileNotFoundError)
        full = status == 507 or number in (errno.ENOSPC, errno.EDQUOT) or bool(_FULL.search(code))
        for applies, meant, why, passes in (
            (cut, errno.ETIMEDOUT, "no answer, or a cut one", True),
            (full, errno.ENOSPC, "no space is left", False),
            (_NO_BUCKET.search(code), errno.ENOENT, "there is no such bucket", False),
            (denied or status in (401, 403), errno.EACCES, "permission denied", False),
            (busy, errno.EBUSY, "the service is busy or has a fault", True),
            (absent, errno.ENOENT, "it is not there", False),
        ):
            if applies:
                return cls(meant, f"{why} ({said or type(error).__name__})", passes)
        what = said or (os.strerror(number) if number else f"an unknown {type(error).__name__}")
        return cls(number or errno.EIO, what, number in _PASSING)


def is_without_bucket(error: BaseException) -> bool:
    """Return whether what is not there is the whole bucket."""
    return _NO_BUCKET.search(_answered(error)[0]) is not None


def _answered(error: BaseException | None) -> tuple[str, int]:
    """Return the code and the HTTP status that a service answered with; "" and 0 where it did not."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):  # botocore
            code = str(response.get("Error", {}).get("Code", ""))
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            plain = code if re.fullmatch(r"[A-Za-z][A-Za-z0-9._]{0,60}", code) else ""
            return plain, status if type(status) is int else 0
        for name in ("status", "status_code", "code"):  # aiohttp, Azure, Google
            status = getattr(error, name, None)
            if type(status) is int and 400 <= status < 600:
                return "", status
        error = error.__cause__ or error.__context__
    return "", 0


def persistently(doing: str, url: str, patience: float, call: Callable[[], T]) -> T:
    """Return what a call returns; tried again while what is wrong may pass.

    Args:
        doing: Action that is tried, to be read behind 'Could not'.
        url: Place that it is tried on.
        patience: Seconds after which it is not tried again; fewer within `limited`.
        call: Function that does it, all of it each time.

    Raises:
        StoreError: It was refused, or went on failing. Nothing of the provider's library is chained to it.
    """
    began, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return call()
        except HoptimError:
            raise
        except Exception as error:  # each provider's library has its own
            trouble = Trouble.of(error)
        left = limit().within(patience - (time.monotonic() - began)) or 0.0
        if not trouble.passes or left <= 0:
            break
        log.warning("Could not %s %r yet: %s. It is tried again for %.0f s.", doing, url, trouble.why, left)
        time.sleep(min(pause * random.uniform(0.5, 1.0), left))
        pause = min(2 * pause, LONGEST_PAUSE)
    tried = f" It was tried for {time.monotonic() - began:.0f} s." if trouble.passes else ""
    advice = _ADVICE.get(trouble.errno, "Cure the cause.")
    message = (
        f"Could not {doing} {url!r}: {trouble.why}.{tried} Nothing that was acknowledged is lost. {advice} "
        "Then run the same call again."
    )
    raise StoreError(trouble.errno, message)
