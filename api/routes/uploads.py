"""Uploads by tus 1.0.0: creation, deferred length, checksums, expiration and termination."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import PurePosixPath
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api import tus
from api.dependencies import PersonDep, ServicesDep, StorageDep, WorkDep
from api.problems import problem_of, reply
from capture import uploads
from capture.receiver import Receiver
from capture.uploads import NewUpload
from infra.errors import LorecastError, UnsupportedMedia


class WrongTusVersion(LorecastError):
    """The client speaks another version of tus."""

    status = 412
    default_code = "upload.tus_version"


class TusRoute(APIRoute):
    """A route whose refusals are problem documents with the headers of tus."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, with our answer to errors that somebody foresaw."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (LorecastError, RequestValidationError, HTTPException) as error:
                refusal = reply(problem_of(error))
                refusal.headers["Tus-Resumable"] = tus.VERSION
                if isinstance(error, WrongTusVersion):
                    refusal.headers["Tus-Version"] = tus.VERSION
                return refusal

        return answer


def _speaks_tus(
    tus_resumable: Annotated[str | None, Header(description=f"must be {tus.VERSION}")] = None,
) -> None:
    if tus_resumable != tus.VERSION:
        raise WrongTusVersion(
            f"Uploads speak tus {tus.VERSION}. Nothing was stored. Send Tus-Resumable: {tus.VERSION}."
        )


router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"], route_class=TusRoute)
SPEAKS_TUS = Depends(_speaks_tus)
_TEXT = {"schema": {"type": "string"}}
_OFFSET = {"Tus-Resumable": _TEXT, "Upload-Offset": _TEXT, "Upload-Expires": _TEXT, "Lorecast-Recording": _TEXT}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


_CREATE = {
    "parameters": [
        _header("Upload-Length", "size of the file in bytes; or:"),
        _header("Upload-Defer-Length", "1: the size comes with a later PATCH"),
        _header("Upload-Metadata", "keys with base64 values: filename, filetype, title, language (ISO 639-1)"),
    ]
}
_APPEND = {
    "parameters": [
        _header("Upload-Offset", "where the bytes belong"),
        _header("Upload-Length", "size of the file, when it was deferred"),
        _header("Upload-Checksum", "sha1 or sha256, a space, and the digest of these bytes in base64"),
    ],
    "requestBody": {"content": {tus.PATCH_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
}


@router.options(
    "",
    status_code=204,
    responses={
        204: {
            "headers": dict.fromkeys(
                ("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"), _TEXT
            )
        }
    },
)
@router.options("/{upload_id}", status_code=204, include_in_schema=False)
async def capabilities(services: ServicesDep) -> Response:
    """What this server can do with uploads."""
    headers = {
        "Tus-Resumable": tus.VERSION,
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
        "Tus-Max-Size": str(services.uploads.max_upload_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    dependencies=[SPEAKS_TUS],
    openapi_extra=_CREATE,
    response_class=Response,
    responses={201: {"headers": {**_OFFSET, "Location": _TEXT}}},
)
async def create(request: Request, person: PersonDep, work: WorkDep, services: ServicesDep) -> Response:
    """Open an upload."""
    metadata = tus.metadata_header(request.headers)
    said = tus.parse_metadata(metadata)
    new = NewUpload(
        length_bytes=tus.new_length(request.headers),
        media_type=said.get("filetype", ""),
        title=said.get("title") or PurePosixPath(said.get("filename", "")).stem,
        language=uploads.clean_language(said.get("language")),
        metadata_header=metadata,
    )
    upload = await uploads.start_upload(work, person=person, new=new, settings=services.uploads)
    # Absolute, because some clients cannot follow a path; from the settings, because a Host header can be anything.
    address = services.settings.public_url or str(request.base_url).rstrip("/")
    headers = _headers(0, upload.recording_id, upload.expires_at)
    return Response(status_code=201, headers={**headers, "Location": f"{address}/api/v1/uploads/{upload.id}"})


@router.head(
    "/{upload_id}",
    dependencies=[SPEAKS_TUS],
    response_class=Response,
    responses={200: {"headers": {**_OFFSET, "Upload-Length": _TEXT, "Upload-Metadata": _TEXT}}},
)
async def offset(upload_id: UUID, person: PersonDep, work: WorkDep) -> Response:
    """How many bytes are safe."""
    upload = await uploads.get_upload(work, person=person, upload_id=upload_id)
    headers = _headers(upload.offset_bytes, upload.recording_id, upload.expires_at)
    if upload.length_bytes is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.length_bytes)
    if upload.metadata_header:
        headers["Upload-Metadata"] = upload.metadata_header
    return Response(status_code=200, headers=headers)


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=[SPEAKS_TUS],
    openapi_extra=_APPEND,
    responses={204: {"headers": _OFFSET}},
)
async def append(upload_id: UUID, request: Request, person: PersonDep, services: ServicesDep) -> Response:
    """Append bytes at `Upload-Offset`. The last byte starts the work."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != tus.PATCH_TYPE:
        raise UnsupportedMedia(f"Send bytes as {tus.PATCH_TYPE}. Nothing was stored.", code="upload.content_type")
    receiver = Receiver(services.database, services.bell, services.storage, services.uploads)
    received = await receiver.receive(
        person=person, upload_id=upload_id, chunk=tus.chunk(request.headers), body=_body(request)
    )
    headers = _headers(received.offset_bytes, received.recording_id, received.expires_at)
    return Response(status_code=204, headers=headers)


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=[SPEAKS_TUS],
    responses={204: {"headers": {"Tus-Resumable": _TEXT}}},
)
async def cancel(upload_id: UUID, person: PersonDep, work: WorkDep, storage: StorageDep) -> Response:
    """Drop an unfinished upload and its bytes."""
    await uploads.cancel_upload(work, storage, person=person, upload_id=upload_id)
    return Response(status_code=204, headers={"Tus-Resumable": tus.VERSION})


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise ConnectionError("the client went away") from error


def _headers(offset_bytes: int, recording_id: UUID, expires_at: datetime) -> dict[str, str]:
    return {
        "Tus-Resumable": tus.VERSION,
        "Upload-Offset": str(offset_bytes),
        "Upload-Expires": format_datetime(expires_at.astimezone(UTC), usegmt=True),
        "Lorecast-Recording": str(recording_id),
        "Cache-Control": "no-store",
    }
