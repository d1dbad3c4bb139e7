"""A span for each request, named after its route and never after its address, which may hold a secret."""

from __future__ import annotations

from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.tracing import span

# Asked all the time, by machines and for files.
_QUIET = ("/livez", "/readyz", "/metrics", "/static/", "/media/", "/api/v1/events")


class Traces:
    """ASGI middleware: the span lasts from the request to the end of the reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, inside a span."""
        if scope["type"] != "http" or scope["path"].startswith(_QUIET):
            await self._app(scope, receive, send)
            return
        with span(scope["method"], kind=SpanKind.SERVER) as running:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    running.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        running.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, send_noted)
            route = getattr(scope.get("route"), "path", "")
            running.update_name(f"{scope['method']} {route}".strip())
            running.set_attribute("http.route", route)
