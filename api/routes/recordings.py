"""Recordings: what a person recorded, and where the work on it stands."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies import PersonDep, ServicesDep, WorkDep, person_of_request
from api.ranges import ByteRange, opened
from api.recordings import describe, describe_all
from api.schemas import RecordingOut
from capture import service
from capture.container import Container
from infra.database import Silence

router = APIRouter(prefix="/api/v1/recordings", tags=["recordings"])


@router.get("")
async def list_recordings(
    person: PersonDep, work: WorkDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[RecordingOut]:
    """What this person recorded, newest first."""
    return await describe_all(work, await service.list_recordings(work, person=person, limit=limit))


@router.get("/{recording_id}")
async def get_recording(recording_id: UUID, person: PersonDep, work: WorkDep) -> RecordingOut:
    """One recording with its stages, timings and clip."""
    return await describe(work, await service.get_recording(work, person=person, recording_id=recording_id))


@router.post("/{recording_id}/retry")
async def retry(recording_id: UUID, person: PersonDep, work: WorkDep) -> RecordingOut:
    """Run what failed again."""
    return await describe(work, await service.retry_recording(work, person=person, recording_id=recording_id))


@router.delete("/{recording_id}", status_code=204)
async def delete(recording_id: UUID, person: PersonDep, work: WorkDep) -> Response:
    """Take a recording away; it is kept for 30 days."""
    await service.delete_recording(work, person=person, recording_id=recording_id)
    return Response(status_code=204)


@router.get(
    "/{recording_id}/original",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def original(
    recording_id: UUID, request: Request, person: PersonDep, work: WorkDep, services: ServicesDep
) -> Response:
    """The file exactly as it was uploaded, as a download for those who may read the recording."""
    recording = await service.get_uploaded_recording(work, person=person, recording_id=recording_id)
    stored = await services.storage.head(recording.original_key)
    container = Container(recording.container)
    headers = {
        "Content-Length": str(stored.size_bytes),
        "Content-Disposition": f'attachment; filename="{recording.id}{container.suffix}"',
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }

    async def still_allowed() -> None:
        async with services.database.work(Silence()) as look:
            asking = await person_of_request(request, look)
            await service.get_recording(look, person=asking, recording_id=recording_id)

    whole = ByteRange(0, stored.size_bytes - 1)
    body = await opened(services.storage, recording.original_key, whole, still_allowed)
    return StreamingResponse(body, media_type=container.media_type, headers=headers)
