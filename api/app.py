"""Puts the JSON door together."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from api import problems, security
from api.dependencies import Services
from api.routes import clips, events, glossary, health, learn, people, recordings, submissions, tokens, uploads


def create_app(services: Services) -> FastAPI:
    """The API over these services."""
    app = FastAPI(
        title="Lorecast",
        version=version("lorecast"),
        summary="Short recordings of what people at work know, as searchable lessons.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.lorecast = services
    problems.install(app)
    security.install(app)
    for part in (people, tokens, uploads, recordings, clips, submissions, learn, glossary, events, health):
        app.include_router(part.router)
    return app
