"""Clips: transcript, captions and chapters, and the files a browser plays.

Whoever may see the lesson of a clip, or the recording it was made of, may see the clip; to everybody else it does not
exist. Permission is checked on every request, also on every range of a video.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies import PersonDep, ServicesDep, WorkDep, person_of_request
from api.ranges import ByteRange, Unsatisfiable, names, opened, parse_range
from api.schemas import ChapterOut, ClipOut, TranscriptOut
from capture import service as capture
from capture.models import ClipFile
from infra.database import Silence
from infra.errors import NotFound
from learn.visibility import get_visible_clip

router = APIRouter(tags=["clips"])
_VTT = "text/vtt; charset=utf-8"


@router.get("/api/v1/clips/{clip_id}")
async def get_clip(clip_id: UUID, person: PersonDep, work: WorkDep) -> ClipOut:
    """A clip and its files."""
    clip = await get_visible_clip(work, person=person, clip_id=clip_id)
    return ClipOut.of(clip, await capture.files_of(work, [clip.id]))


@router.get("/api/v1/clips/{clip_id}/transcript")
async def transcript(clip_id: UUID, person: PersonDep, work: WorkDep) -> TranscriptOut:
    """What is said, with the time of every word."""
    clip = await get_visible_clip(work, person=person, clip_id=clip_id)
    if clip.transcript is None:
        raise NotFound("This clip has not been transcribed yet.", code="clip.no_transcript")
    return TranscriptOut.model_validate(clip.transcript)


@router.get("/api/v1/clips/{clip_id}/chapters")
async def chapters(clip_id: UUID, person: PersonDep, work: WorkDep) -> list[ChapterOut]:
    """The chapters, without gaps from 0 to the end."""
    clip = await get_visible_clip(work, person=person, clip_id=clip_id)
    return [ChapterOut.model_validate(chapter) for chapter in clip.chapters or []]


@router.get(
    "/api/v1/clips/{clip_id}/captions.vtt",
    response_class=Response,
    responses={200: {"content": {"text/vtt": {"schema": {"type": "string"}}}}},
)
async def captions(clip_id: UUID, person: PersonDep, work: WorkDep) -> Response:
    """Captions as WebVTT."""
    clip = await get_visible_clip(work, person=person, clip_id=clip_id)
    return Response(clip.captions or "WEBVTT\n", media_type=_VTT, headers={"Cache-Control": "private, no-cache"})


_BYTES: dict[str, Any] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_MEDIA: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": _BYTES},
    206: {"description": "The range that was asked for.", "content": _BYTES},
    304: {"description": "The file is still what `If-None-Match` names."},
    416: {"description": "The file ends before this range begins."},
}


@router.head("/media/{clip_id}/{name}", tags=["media"], response_class=Response, include_in_schema=False)
@router.get("/media/{clip_id}/{name}", tags=["media"], response_class=Response, responses=_MEDIA)
async def media(
    clip_id: UUID,
    name: str,
    request: Request,
    person: PersonDep,
    work: WorkDep,
    services: ServicesDep,
    range_: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A file of a clip, whole or in a range."""
    clip = await get_visible_clip(work, person=person, clip_id=clip_id)
    file = await capture.get_file(work, clip.id, name)
    headers = _headers(file)
    if names(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    whole = ByteRange(0, file.size_bytes - 1)
    try:
        part = parse_range(range_, file.size_bytes) if if_range is None or names(if_range, headers["ETag"]) else None
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size_bytes}"})
    wanted = part or whole
    headers["Content-Length"] = str(wanted.size_bytes)
    if part:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{file.size_bytes}"
    status = 206 if part else 200
    if request.method == "HEAD" or wanted.size_bytes == 0:
        return Response(status_code=status, headers=headers, media_type=file.media_type)

    async def still_allowed() -> None:
        async with services.database.work(Silence()) as look:
            await get_visible_clip(look, person=await person_of_request(request, look), clip_id=clip_id)

    body = await opened(services.storage, file.key, wanted, still_allowed)
    return StreamingResponse(body, status_code=status, headers=headers, media_type=file.media_type)


def _headers(file: ClipFile) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        # Kept by the browser, but asked about each time: who may no longer see it sees it no more.
        "Cache-Control": "private, no-cache",
        "ETag": f'"{hashlib.sha256(file.key.encode()).hexdigest()[:32]}"',
        "X-Content-Type-Options": "nosniff",
    }
