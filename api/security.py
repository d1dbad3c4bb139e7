"""Requests that change something must come from our own pages (no cross-site request forgery).

The browser says where a request comes from: Sec-Fetch-Site in current ones, Origin in all. A bearer token is no
standing permission of the browser, so requests with one pass. What does not say where it comes from passes only when
no session could be misused: without its cookie.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dependencies import bearer_token, session_secret
from api.problems import Problem, reply
from infra.settings import WebSettings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_REFUSED = Problem(
    403,
    "forbidden.cross_site",
    "This request did not come from a page of Lorecast. Nothing was changed. Please open Lorecast and try there.",
)


def is_forged(connection: HTTPConnection, method: str, settings: WebSettings) -> bool:
    """Whether a request could have been made by another site in the name of who is signed in."""
    if method in _SAFE_METHODS or bearer_token(connection) is not None:
        return False
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = connection.headers.get("origin")
    if origin is not None:
        return not _is_own(origin, connection, settings)
    return session_secret(connection, settings) is not None


def _is_own(origin: str, connection: HTTPConnection, settings: WebSettings) -> bool:
    """Compare with the public address; where none is set, with the Host that the browser itself wrote."""
    if settings.public_url is not None:
        own = urlsplit(settings.public_url)
        return origin.lower() == f"{own.scheme}://{own.netloc}".lower()
    try:
        return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower() != ""
    except ValueError:
        return False


class SameOrigin:
    """ASGI middleware: refuses forged requests before anything of them is read."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or pass on."""
        if scope["type"] == "http" and is_forged(HTTPConnection(scope), scope["method"], self._settings):
            await reply(_REFUSED)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def install(app: FastAPI) -> None:
    """Guard every route of this app."""
    app.add_middleware(SameOrigin, settings=app.state.lorecast.settings)
