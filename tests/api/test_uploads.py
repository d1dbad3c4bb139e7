"""Uploads over HTTP, as tus 1.0.0 has it; each refusal leaves everything as it was."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from accounts import service as accounts
from accounts.models import Role
from api.dependencies import Services
from capture.receiver import PART_BYTES
from infra.database import Database, Silence, utc_now
from infra.settings import UploadSettings
from infra.storage import Storage
from tests.api.live import serving
from tests.builders import a_person
from tests.capture.phone import Phone, a_file
from tests.fixtures.web import ADDRESS, ClientFor

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
VIDEO = "filetype " + base64.b64encode(b"video/mp4").decode()


class Client:
    """A client of the upload routes, and a look behind them."""

    def __init__(self, http: httpx.AsyncClient, phone: Phone) -> None:
        self.http, self.phone = http, phone

    async def create(self, length: int | None, metadata: str = VIDEO) -> str:
        said = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        reply = await self.http.post("/api/v1/uploads", headers={**TUS, "Upload-Metadata": metadata, **said})
        assert reply.status_code == 201, reply.text
        return reply.headers["location"].removeprefix(ADDRESS)

    async def patch(self, path: str, at: int, content: bytes, **headers: str) -> httpx.Response:
        sent = {**BYTES, "Upload-Offset": str(at), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.http.patch(path, headers=sent, content=content)

    async def offset(self, path: str) -> int:
        return int((await self.http.head(path, headers=TUS)).headers["upload-offset"])

    async def refused(self, status: int, code: str, method: str, path: str, **sent: Any) -> httpx.Response:
        before = await self.phone.everything()
        reply = await self.http.request(method, path, **sent)
        assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["tus-resumable"] == "1.0.0"
        assert "upload-offset" not in reply.headers
        assert await self.phone.everything() == before
        return reply


@pytest.fixture
async def tus(client_for: ClientFor, database: Database, storage: Storage) -> Client:
    async with database.work(Silence()) as work:
        person = await a_person(work, role=Role.EXPERT)
    return Client(await client_for(person), Phone(database, storage, person))


async def test_what_the_server_can_do_is_told_to_everybody(client: httpx.AsyncClient) -> None:
    for headers in ({}, TUS, {"Tus-Resumable": "0.2.2"}):
        reply = await client.options("/api/v1/uploads", headers=headers)
        assert reply.status_code == 204
        assert reply.headers["tus-version"] == "1.0.0"
        assert reply.headers["tus-extension"] == "creation,creation-defer-length,checksum,expiration,termination"
        assert reply.headers["tus-checksum-algorithm"] == "sha1,sha256"
        assert reply.headers["tus-max-size"] == str(UploadSettings().max_upload_bytes)


async def test_a_file_goes_up_in_pieces_and_becomes_a_recording(tus: Client) -> None:
    content = a_file(PART_BYTES + 1000)
    title = base64.b64encode("Rolle wechseln – 標籤".encode()).decode()
    path = await tus.create(len(content), f"{VIDEO},title {title}")
    head = await tus.http.head(path, headers=TUS)
    assert (head.status_code, head.headers["upload-offset"]) == (200, "0")
    assert head.headers["upload-length"] == str(len(content))
    assert head.headers["upload-metadata"] == f"{VIDEO},title {title}"
    assert head.headers["cache-control"] == "no-store"
    assert parsedate_to_datetime(head.headers["upload-expires"]) > utc_now()
    for at, end in ((0, 600), (600, PART_BYTES + 1), (PART_BYTES + 1, len(content))):
        reply = await tus.patch(path, at, content[at:end])
        assert (reply.status_code, reply.headers["upload-offset"]) == (204, str(end))
        assert "upload-expires" in reply.headers
        assert await tus.offset(path) == end
    recording = (await tus.http.get(f"/api/v1/recordings/{reply.headers['lorecast-recording']}")).json()
    assert (recording["state"], recording["size_bytes"]) == ("uploaded", len(content))
    assert recording["title"] == "Rolle wechseln – 標籤"
    assert [stage["name"] for stage in recording["stages"]] == ["probe"]
    original = await tus.http.get(f"/api/v1/recordings/{recording['id']}/original")
    assert hashlib.sha256(original.content).digest() == hashlib.sha256(content).digest()
    assert original.headers["content-disposition"] == f'attachment; filename="{recording["id"]}.mp4"'


async def test_another_version_of_tus_is_refused_unread(tus: Client) -> None:
    path = await tus.create(1000)
    for version in (None, "", "0.2.2", "1.0", "1.0.0, 2.0.0"):
        for method in ("POST", "HEAD", "PATCH", "DELETE"):
            await refused_unread(tus, path, method, version)


async def refused_unread(tus: Client, path: str, method: str, version: str | None) -> None:
    headers = {**BYTES, "Upload-Offset": "0", "Upload-Length": "1000", "Upload-Metadata": VIDEO}
    del headers["Tus-Resumable"]
    if version is not None:
        headers["Tus-Resumable"] = version
    before = await tus.phone.everything()
    where = "/api/v1/uploads" if method == "POST" else path
    reply = await tus.http.request(method, where, headers=headers, content=a_file(1000) if method == "PATCH" else b"")
    assert (reply.status_code, reply.headers["tus-version"]) == (412, "1.0.0")
    assert await tus.phone.everything() == before


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([], 400, "upload.bad_header"),
        ([("Upload-Length", "-1")], 400, "upload.bad_header"),
        ([("Upload-Length", str(2**63))], 400, "upload.bad_header"),
        ([("Upload-Length", "9" * 5000)], 400, "upload.bad_header"),
        ([("Upload-Length", "5"), ("Upload-Length", "6")], 400, "upload.bad_header"),
        ([("Upload-Length", "5"), ("Upload-Defer-Length", "1")], 400, "upload.bad_header"),
        ([("Upload-Defer-Length", "0")], 400, "upload.bad_header"),
        ([("Upload-Length", "5"), ("Upload-Concat", "partial")], 400, "upload.bad_header"),
        ([("Upload-Length", "0")], 422, "upload.empty"),
        ([("Upload-Length", "999999999999999")], 413, "upload.too_large"),
        ([("Upload-Length", "5"), ("Upload-Metadata", "a b c")], 400, "upload.bad_metadata"),
        ([("Upload-Length", "5"), ("Upload-Metadata", VIDEO), ("Upload-Metadata", VIDEO)], 400, "upload.bad_header"),
        ([("Upload-Length", "5"), ("Upload-Metadata", f"{VIDEO},{VIDEO}")], 400, "upload.bad_metadata"),
        ([("Upload-Length", "5"), ("Upload-Metadata", "title " + "QUFB" * 5000)], 400, "upload.bad_metadata"),
        ([("Upload-Length", "5"), ("Upload-Metadata", "")], 415, "upload.not_a_recording"),
        ([("Upload-Length", "5"), ("Upload-Metadata", "filetype dGV4dC9odG1s")], 415, "upload.not_a_recording"),
        ([("Upload-Length", "5"), ("Upload-Metadata", f"{VIDEO},language ZW5n")], 422, "upload.bad_language"),
    ],
)
async def test_a_creation_that_makes_no_sense_is_refused(
    tus: Client, headers: list[tuple[str, str]], status: int, code: str
) -> None:
    known = {name for name, _ in headers}
    more = [("Tus-Resumable", "1.0.0"), *([] if "Upload-Metadata" in known else [("Upload-Metadata", VIDEO)])]
    await tus.refused(status, code, "POST", "/api/v1/uploads", headers=[*headers, *more])
    assert (await tus.phone.everything())["upload"] == []


@pytest.mark.parametrize(
    ("change", "content", "status", "code"),
    [
        ({"Upload-Offset": "1"}, b"", 409, "upload.offset_mismatch"),
        ({"Upload-Offset": "-1"}, b"", 400, "upload.bad_header"),
        ({"Upload-Offset": ""}, b"", 400, "upload.bad_header"),
        ({"Content-Type": "video/mp4"}, b"", 415, "upload.content_type"),
        ({"Content-Type": ""}, b"", 415, "upload.content_type"),
        ({}, b"x" * 5000, 413, "upload.too_long"),
        ({}, b"x" * 500, 415, "upload.not_a_recording"),
        ({"Upload-Length": "2000"}, b"", 422, "upload.length_changed"),
        ({"Upload-Checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}, b"", 460, "upload.checksum"),
        ({"Upload-Checksum": "md5 AAAA"}, b"", 400, "upload.checksum_algorithm"),
        ({"Upload-Checksum": "sha1 nonsense"}, b"", 400, "upload.bad_header"),
    ],
)
async def test_a_chunk_that_makes_no_sense_is_refused(
    tus: Client, change: dict[str, str], content: bytes, status: int, code: str
) -> None:
    path = await tus.create(1000)
    headers = {**BYTES, "Upload-Offset": "0", **change}
    await tus.refused(status, code, "PATCH", path, headers=headers, content=content or a_file(1000))
    assert await tus.offset(path) == 0
    assert (await tus.patch(path, 0, a_file(1000))).status_code == 204


async def test_a_chunk_with_its_checksum_is_taken(tus: Client) -> None:
    content = a_file(1000)
    path = await tus.create(1000)
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    assert (await tus.patch(path, 0, content, Upload_Checksum=f"sha1 {digest}")).headers["upload-offset"] == "1000"


async def test_a_length_may_come_later(tus: Client) -> None:
    content = a_file(1000)
    path = await tus.create(None)
    head = await tus.http.head(path, headers=TUS)
    assert head.headers["upload-defer-length"] == "1"
    assert "upload-length" not in head.headers
    assert (await tus.patch(path, 0, content[:600])).status_code == 204
    assert (await tus.patch(path, 600, content[600:], Upload_Length="1000")).headers["upload-offset"] == "1000"
    assert (await tus.http.head(path, headers=TUS)).headers["upload-length"] == "1000"


async def test_a_surplus_without_a_content_length_is_refused(tus: Client) -> None:
    path = await tus.create(1000)

    async def pieces() -> Any:
        yield a_file(1000)
        yield b"x"

    headers = {**BYTES, "Upload-Offset": "0"}
    await tus.refused(413, "upload.too_long", "PATCH", path, headers=headers, content=pieces())
    assert await tus.offset(path) == 0


async def test_what_is_not_there_has_no_offset(tus: Client) -> None:
    for path in (f"/api/v1/uploads/{uuid4()}", "/api/v1/uploads/nonsense"):
        reply = await tus.http.head(path, headers=TUS)
        assert reply.status_code in {404, 422}
        assert "upload-offset" not in reply.headers


async def test_a_dropped_upload_is_gone(tus: Client) -> None:
    path = await tus.create(1000)
    await tus.patch(path, 0, a_file(1000)[:500])
    assert (await tus.http.delete(path, headers=TUS)).status_code == 204
    assert (await tus.http.head(path, headers=TUS)).status_code == 404
    await tus.refused(404, "upload.not_found", "DELETE", path, headers=TUS)
    assert (await tus.phone.everything())["upload"] == []


async def hang(address: str, path: str, token: str, content: bytes, announced: int) -> asyncio.StreamWriter:
    """Begin a PATCH on a socket, send a part of it, and leave it hanging."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(announced), "Authorization": f"Bearer {token}"}
    lines = [f"PATCH {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()
    return writer


async def a_token(phone: Phone) -> str:
    async with phone.database.work(Silence()) as work:
        return await accounts.create_token(work, person=phone.person, days=1, name="phone")


async def test_a_request_that_hangs_locks_nobody_out(tus: Client, app: FastAPI) -> None:
    content = a_file(1000)
    path = await tus.create(1000)
    async with serving(app) as address:
        hanging = await hang(address, path, await a_token(tus.phone), content[:300], 1000)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        assert await tus.offset(path) == 0
        assert (await tus.patch(path, 0, content)).status_code == 204
        took_s = time.monotonic() - began
        hanging.write(b"x" * 700)
        await hanging.drain()
        await asyncio.sleep(0.3)
        hanging.close()
    # Never waits for the hanging request, which would last half a minute.
    assert took_s < 20
    recording_id = (await tus.http.head(path, headers=TUS)).headers["lorecast-recording"]
    assert await tus.phone.storage.get(f"originals/{recording_id}") == content
    assert len((await tus.phone.everything())["stage_run"]) == 1


async def test_a_connection_that_breaks_keeps_what_came(tus: Client, app: FastAPI) -> None:
    content = a_file(1000)
    path = await tus.create(1000)
    async with serving(app) as address:
        broken = await hang(address, path, await a_token(tus.phone), content[:300], 1000)
        await asyncio.sleep(0.3)
        broken.transport.abort()
        for _ in range(100):
            if await tus.offset(path) == 300:
                break
            await asyncio.sleep(0.05)
    assert await tus.offset(path) == 300
    assert (await tus.patch(path, 300, content[300:])).headers["upload-offset"] == "1000"


async def test_the_location_is_on_the_public_address_whatever_the_request_says(services: Services, tus: Client) -> None:
    reply = await tus.http.post(
        "/api/v1/uploads",
        headers={**TUS, "Upload-Metadata": VIDEO, "Upload-Length": "9", "X-Forwarded-Host": "evil.example"},
    )
    assert reply.headers["location"].startswith(f"{services.settings.public_url}/api/v1/uploads/")
