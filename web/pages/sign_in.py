"""Signing in by a link that works once, and signing out."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from accounts import service as accounts
from accounts.service import LinkState
from api.dependencies import (
    MaybePersonDep,
    ServicesDep,
    WorkDep,
    clear_session_cookie,
    session_secret,
    set_session_cookie,
)
from web import views
from web.pages.shell import PagesDep, see_other, shell

router = APIRouter()


@router.get("/sign-in")
async def ask(request: Request, person: MaybePersonDep, pages: PagesDep, next: str = "/") -> Response:  # noqa: A002
    """How to get a link; for somebody who is signed in, straight on."""
    if person is not None:
        return see_other(_inside(next))
    return pages.render(views.SignInPage(), await shell(request, None, None, ""))


@router.api_route("/sign-in/{secret}", methods=["GET", "HEAD"])
async def open_link(secret: str, request: Request, work: WorkDep, services: ServicesDep, pages: PagesDep) -> Response:
    """Sign in with a link. A look ahead by a browser or a chat program does not use it up."""
    said = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    if request.method == "GET" and "prefetch" not in said:
        return await _sign_in(secret, request, work, services, pages)
    state, person = await accounts.look_at_link(work, secret=secret)
    if state is not LinkState.WORKS:
        return await _refused(state, request, pages)
    view = views.SignInPage(state="confirm", action=request.url.path, name=person.name if person else "")
    return pages.render(view, await shell(request, None, None, ""))


@router.post("/sign-in/{secret}")
async def use_link(secret: str, request: Request, work: WorkDep, services: ServicesDep, pages: PagesDep) -> Response:
    """Sign in with a link, after a click."""
    return await _sign_in(secret, request, work, services, pages)


async def _sign_in(secret: str, request: Request, work: WorkDep, services: ServicesDep, pages: PagesDep) -> Response:
    state, _ = await accounts.look_at_link(work, secret=secret)
    if state is not LinkState.WORKS:
        return await _refused(state, request, pages)
    _, session = await accounts.sign_in(work, secret=secret, days=services.settings.session_days)
    reply = see_other("/")
    set_session_cookie(reply, session, services.settings)
    reply.headers["Referrer-Policy"] = "no-referrer"
    return reply


async def _refused(state: LinkState, request: Request, pages: PagesDep) -> Response:
    """Why this link does not sign in."""
    shown: dict[LinkState, Literal["used", "expired"]] = {LinkState.USED: "used", LinkState.EXPIRED: "expired"}
    view = views.SignInPage(state=shown.get(state, "unknown"))
    return pages.render(view, await shell(request, None, None, ""), status=401)


@router.post("/sign-out")
async def sign_out(request: Request, work: WorkDep, services: ServicesDep) -> Response:
    """End the session of this browser."""
    secret = session_secret(request, services.settings)
    if secret is not None:
        await accounts.sign_out(work, secret)
    reply = see_other("/sign-in")
    clear_session_cookie(reply, services.settings)
    return reply


def _inside(address: str) -> str:
    """Only an address of this site: a link in a message must not lead elsewhere."""
    parts = urlsplit(address)
    ours = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if ours else "/"
