"""What the dashboard answers: to whom, and what."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from hoptim import HoptimError
from hoptim.dashboard.pages import list_page
from hoptim.dashboard.studies import Studies
from hoptim.dashboard.watched import Watched
from hoptim.errors import reason
from hoptim.report.document import Document

_HOSTS = ["127.0.0.1", "localhost"]  # another name that leads here is another site's (DNS rebinding)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # where a page has no own
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_REFUSED = (
    "Open the address that `hoptim dashboard` printed: it ends with a token, which is new each time.\n"
)

Handler = Callable[[Request], Awaitable[Response]]


def application(studies: Studies, token: str) -> Starlette:
    """Return the web application; it answers GET alone, and changes nothing.

    Args:
        studies: Studies to show.
        token: Secret that the first address has, after which a cookie has it.
    """

    def first(_: Request) -> Response:
        only = studies.only
        return _html(list_page(studies.list())) if only is None else _page(only)

    def news_of_all(_: Request) -> Response:
        return _json(studies.list())

    def page(request: Request) -> Response:
        found = studies.named(request.path_params["name"])
        return _unknown() if found is None else _page(found)

    def news(request: Request) -> Response:
        found = studies.named(request.path_params["name"])
        return _unknown() if found is None else _json(found.news())

    routes = [
        Route("/", first),
        Route("/news", news_of_all),
        Route("/study/{name:path}", page),
        Route("/news/{name:path}", news),
    ]
    guards = [
        Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
        Middleware(BaseHTTPMiddleware, dispatch=_guard(token)),
    ]
    return Starlette(routes=routes, middleware=guards)


def _guard(token: str) -> Callable[[Request, Handler], Awaitable[Response]]:
    """Return what lets only those in who know the token, and sets the headers of each answer."""
    cookie = f"hoptim-{secrets.token_hex(4)}"  # browsers do not tell apart the ports of a host

    async def guard(request: Request, answer: Handler) -> Response:
        given = request.query_params.get("token")
        known = request.cookies.get(cookie, "") if given is None else given
        if secrets.compare_digest(known.encode(errors="replace"), token.encode()):
            response = await answer(request)
            if given is not None:
                response.set_cookie(cookie, token, httponly=True, samesite="strict")
        else:
            response = PlainTextResponse(_REFUSED, 403)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guard


def _page(study: Watched) -> Response:
    try:
        return _html(study.page())
    except (HoptimError, OSError) as error:
        return PlainTextResponse(f"{reason(error)}\n", 503)


def _html(document: Document) -> Response:
    policy = f"{document.policy}; frame-ancestors 'none'"
    return HTMLResponse(document.text, headers={"Content-Security-Policy": policy})


def _json(data: object) -> Response:
    text = json.dumps(data, allow_nan=False)  # ASCII: names may hold half a surrogate
    return Response(text, media_type="application/json")


def _unknown() -> Response:
    return PlainTextResponse("There is no study of this name here.\n", 404)
