"""The request headers of htmx 2, read once, with names."""

from __future__ import annotations

from starlette.requests import Request

VARY = "HX-Request"


def wants_fragment(request: Request) -> bool:
    """Tell whether the page's script asked for a part of it, not a person for the whole page."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in headers
