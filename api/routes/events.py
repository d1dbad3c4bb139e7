"""Live changes over server-sent events: every change of what this person may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.dependencies import PersonDep, Services, ServicesDep, person_of_request
from api.recordings import describe_all
from capture import service as capture
from infra.database import Silence
from infra.errors import LorecastError

router = APIRouter(prefix="/api/v1", tags=["recordings"])
_EVERY_S = 1.0
_NEWEST = 20
# A comment line this often keeps proxies from closing a quiet stream.
_KEEP_ALIVE_S = 15.0


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(request: Request, person: PersonDep, services: ServicesDep) -> StreamingResponse:
    """Events `recording` with a recording as JSON: all of the newest at first, then each that changes."""
    assert person.disabled_at is None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(request, services), media_type="text/event-stream", headers=headers)


async def _changes(request: Request, services: Services) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    sent: dict[str, str] = {}
    quiet_s = 0.0
    while not await request.is_disconnected():
        try:
            changed = await _snapshot(request, services)
        except LorecastError:
            # Signed out, disabled, or the database is away: the client comes back by itself.
            return
        for key, data in changed.items():
            if sent.get(key) != data:
                quiet_s = 0.0
                yield f"event: recording\ndata: {data}\n\n"
        sent = changed
        quiet_s += _EVERY_S
        if quiet_s >= _KEEP_ALIVE_S:
            quiet_s = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_EVERY_S)


async def _snapshot(request: Request, services: Services) -> dict[str, str]:
    async with services.database.work(Silence()) as work:
        person = await person_of_request(request, work)
        recordings = await capture.list_recordings(work, person=person, limit=_NEWEST)
        described = await describe_all(work, recordings)
    return {str(recording.id): recording.model_dump_json() for recording in described}
