"""Errors as problem documents (RFC 9457): a status, a stable `code`, a sentence for a person; never a stack trace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from infra.errors import LorecastError

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
log = structlog.get_logger()


class FieldProblem(BaseModel):
    """What is wrong with one part of the request."""

    where: str = Field(description="such as `body.email` or `query.limit`")
    what: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 shapes it. `code` is stable; `detail` is a sentence for a person and may change."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []


# For `include_router`: the shape of every error, and no other.
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        "model": ProblemDocument,
    }
}


@dataclass(frozen=True)
class Problem:
    """An error, ready to be shown by whichever door it reached: as JSON here, as a page by `web`."""

    status: int
    code: str
    sentence: str
    errors: tuple[FieldProblem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of the status, such as `Not Found`."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Error"


_OF_STATUS = {
    400: ("bad_request", "This request cannot be read. Nothing was changed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take such a request. Nothing was changed."),
    413: ("too_large", "This request is too large. Nothing was changed."),
}


def problem_of(error: Exception) -> Problem:
    """What to show of an error. One that nobody foresaw says nothing about itself."""
    if isinstance(error, LorecastError):
        return Problem(error.status, error.code, error.sentence, headers=_headers(error.status))
    if isinstance(error, RequestValidationError):
        errors = tuple(
            FieldProblem(where=".".join(map(str, found["loc"])), what=str(found["msg"])) for found in error.errors()
        )
        sentence = "A part of this request makes no sense. Nothing was changed."
        return Problem(422, "invalid_input", sentence, errors=errors)
    if isinstance(error, HTTPException):
        code, sentence = _OF_STATUS.get(error.status_code, (f"http_{error.status_code}", "This was refused."))
        return Problem(error.status_code, code, sentence, headers=dict(error.headers or {}))
    return Problem(500, "internal", "Something went wrong on our side. What was saved is safe. Please try again.")


def _headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="Lorecast"'}
    if status == 503:
        return {"Retry-After": str(_RETRY_AFTER_S)}
    return {}


def reply(problem: Problem) -> Response:
    """The problem as a JSON document. Escaped to ASCII, so that whatever was sent in cannot break it."""
    document = ProblemDocument(
        title=problem.title,
        status=problem.status,
        detail=problem.sentence,
        code=problem.code,
        errors=list(problem.errors),
    )
    content = json.dumps(document.model_dump())
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(content, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def note(request: Request, error: Exception, problem: Problem) -> None:
    """Log what is our fault, with the trace; refusals are no news."""
    if problem.status >= 500:
        path = getattr(request.scope.get("route"), "path", "?")
        log.error("request.failed", code=problem.code, method=request.method, route=path, exc_info=error)


async def _handle(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    note(request, error, problem)
    return reply(problem)


def install(app: FastAPI) -> None:
    """Render every error of this app as a problem document, and say so in its OpenAPI description."""
    for kind in (LorecastError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)
    app.router.responses = {**app.router.responses, **RESPONSES}
