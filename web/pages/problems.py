"""Errors as pages for people; programs keep getting problem documents."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from accounts.models import Person
from api import problems
from api.dependencies import find_person_of_request, services_of
from api.problems import Problem
from infra.database import Silence
from infra.errors import LorecastError, Unauthenticated
from web import views
from web.pages.shell import SignInFirst, see_other, shell, sign_in_address
from web.templating import Pages

_NOT_FOUND = "There is no such page. Check the address, or search for what you need."


def install(app: FastAPI) -> None:
    """Answer browsers with pages where programs get JSON."""
    for kind in (LorecastError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    problem = problems.problem_of(error)
    problems.note(request, error, problem)
    if not _is_page(request):
        return problems.reply(problem)
    if isinstance(error, SignInFirst | Unauthenticated):
        return see_other(sign_in_address(request))
    return await _page(request, problem)


def _is_page(request: Request) -> bool:
    path = request.url.path
    for_programs = path.startswith(("/api/", "/media/", "/static/")) or path in {"/livez", "/readyz", "/metrics"}
    return not for_programs and "text/html" in request.headers.get("accept", "")


async def _page(request: Request, problem: Problem) -> Response:
    pages: Pages = request.app.state.pages
    sentence = _NOT_FOUND if problem.code == "not_found" else problem.sentence
    view = views.ErrorPage(status=problem.status, code=problem.code, sentence=sentence)
    around = await shell(request, None, await _person(request), "")
    return pages.render(view, around, status=problem.status)


async def _person(request: Request) -> Person | None:
    """Who is signed in, as far as that can be told just now."""
    try:
        async with services_of(request).database.work(Silence()) as work:
            return await find_person_of_request(request, work)
    except LorecastError:
        return None
