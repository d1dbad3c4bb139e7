"""What a route can ask for: the unit of work, who is signed in, the storage. And the session cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import HTTPConnection

from accounts import service
from accounts.models import Person
from infra.database import Database, Work
from infra.errors import Unauthenticated
from infra.queue import Doorbell
from infra.settings import UploadSettings, WebSettings
from infra.storage import Storage


@dataclass(frozen=True)
class Services:
    """What the doors stand on; `app.state.lorecast` holds it."""

    database: Database
    bell: Doorbell
    storage: Storage
    embedder: Any
    settings: WebSettings
    uploads: UploadSettings


def services_of(request: HTTPConnection) -> Services:
    """The services of the app that serves this request."""
    services: Services = request.app.state.lorecast
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def _work(services: ServicesDep) -> AsyncIterator[Work]:
    async with services.database.work(services.bell) as work:
        yield work


# Function scope: the commit comes before the reply, so that no 2xx leaves for what was not kept.
WorkDep = Annotated[Work, Depends(_work, scope="function")]


def _storage(services: ServicesDep) -> Storage:
    return services.storage


StorageDep = Annotated[Storage, Depends(_storage)]


# Who is signed in

_COOKIE = "lorecast"
# With this prefix browsers take a cookie only over TLS (or loopback), for this host and every path (RFC 6265bis).
_HOST_COOKIE = f"__Host-{_COOKIE}"
_BEARER = HTTPBearer(auto_error=False, description="A token from `lorecast token create`.")
_SESSION = APIKeyCookie(name=_HOST_COOKIE, auto_error=False, description="A browser that is signed in.")


def is_secure(settings: WebSettings) -> bool:
    """Whether browsers keep Secure cookies for this server: https, or http on this machine itself."""
    if settings.public_url is None:
        return _is_loopback(settings.host)
    address = urlsplit(settings.public_url)
    return address.scheme == "https" or _is_loopback(address.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def cookie_name(settings: WebSettings) -> str:
    """Name of the session cookie."""
    return _HOST_COOKIE if is_secure(settings) else _COOKIE


def session_secret(request: HTTPConnection, settings: WebSettings) -> str | None:
    """The session secret that came with the request."""
    return request.cookies.get(cookie_name(settings))


def set_session_cookie(response: Response, secret: str, settings: WebSettings) -> None:
    """Sign this browser in: out of reach of scripts, and not sent along by other sites' forms."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=settings.session_days * 24 * 3600,
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(response: Response, settings: WebSettings) -> None:
    """Make this browser forget its session. End the session too: `accounts.service.sign_out`."""
    response.delete_cookie(cookie_name(settings), path="/", secure=is_secure(settings), httponly=True, samesite="lax")


def bearer_token(request: HTTPConnection) -> str | None:
    """The bearer token that came with the request; an empty one counts, as a wrong one."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


async def find_person_of_request(request: HTTPConnection, work: Work) -> Person | None:
    """Who sends this request; None without a valid session. Raises Unauthenticated for a bearer token that is wrong.

    A bearer token counts before a session cookie, and never falls back to it.
    """
    token = bearer_token(request)
    if token is not None:
        person = await service.person_of_token(work, token)
        if person is None:
            raise Unauthenticated(
                "This token does not work: it is wrong, too old, or was withdrawn. Please create a new one.",
                code="unauthenticated.token",
            )
        return person
    settings = services_of(request).settings
    secret = session_secret(request, settings)
    if secret is None:
        return None
    return await service.person_of_session(work, secret, idle_days=settings.session_idle_days)


async def person_of_request(request: HTTPConnection, work: Work) -> Person:
    """Who sends this request. Raises Unauthenticated when nobody is signed in (any more)."""
    person = await find_person_of_request(request, work)
    if person is None:
        raise Unauthenticated("You are not signed in. Please open your sign-in link, or send a token.")
    return person


# These look in a transaction of their own, a short one: who uploads or listens for an hour must not hold one open.
async def _maybe_person(request: Request, services: ServicesDep) -> Person | None:
    if bearer_token(request) is None and session_secret(request, services.settings) is None:
        return None
    async with services.database.work(services.bell) as work:
        return await find_person_of_request(request, work)


async def _person(
    request: Request,
    services: ServicesDep,
    _bearer: Annotated[object, Security(_BEARER)],
    _session: Annotated[object, Security(_SESSION)],
) -> Person:
    async with services.database.work(services.bell) as work:
        return await person_of_request(request, work)


PersonDep = Annotated[Person, Depends(_person)]
MaybePersonDep = Annotated[Person | None, Depends(_maybe_person)]
