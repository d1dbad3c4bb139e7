"""The ASGI app that is run: the JSON door, the pages, the built files and the headers that keep browsers safe."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from api.app import create_app
from api.dependencies import Services
from api.tracing import Traces
from web.assets import Assets
from web.pages import home, lessons, people, problems, recordings, review, sign_in, work
from web.security import SecurityHeaders
from web.templating import Pages


def create_web_app(services: Services) -> FastAPI:
    """The API with the pages around it."""
    app = create_app(services)
    assets = Assets.load()
    app.state.pages = Pages(assets)
    app.mount("/static", assets, name="static")
    for part in (home, sign_in, recordings, lessons, review, people, work):
        app.include_router(part.router, include_in_schema=False)
    problems.install(app)
    # Pages hold no secret that a guess inside them could shorten, so compressing them gives nothing away.
    app.add_middleware(GZipMiddleware, compresslevel=5)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Traces)
    return app
