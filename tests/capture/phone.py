"""Somebody who uploads, bytes that begin like a recording, and a look at all that an upload may change."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from accounts.models import Person, Role
from capture import uploads
from capture.receiver import Chunk, Received, Receiver
from capture.uploads import NewUpload
from infra.database import Database, Silence
from infra.errors import LorecastError
from infra.settings import UploadSettings
from infra.storage import Storage
from tests.builders import a_person
from tests.capture.test_container import MP4

SETTINGS = UploadSettings(max_upload_bytes=64 * 1024**2)
MIB = 1024**2


def a_file(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that begin like an MP4 file."""
    return (MP4 + random.Random(seed).randbytes(size_bytes))[:size_bytes]


async def body_of(*pieces: bytes, cut: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if cut:
        raise ConnectionError("cut")


class Hanging:
    """A body that sends what it is given, when it is given."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def body(self) -> AsyncIterator[bytes]:
        while (piece := await self.pieces.get()) is not None:
            yield piece


class Phone:
    """Somebody who uploads, through a new Receiver for each request, as after a restart of the server."""

    def __init__(self, database: Database, storage: Storage, person: Person) -> None:
        self.database, self.storage, self.person = database, storage, person

    async def start(self, length_bytes: int | None, **more: Any) -> UUID:
        values = {"media_type": "video/mp4", "title": "Change the label roll", "language": None} | more
        async with self.database.work(Silence()) as work:
            new = NewUpload(length_bytes=length_bytes, **values)
            upload = await uploads.start_upload(work, person=self.person, new=new, settings=SETTINGS)
        return upload.id

    async def send(
        self, upload_id: UUID, at: int, *pieces: bytes, cut: bool = False, storage: Storage | None = None, **said: Any
    ) -> Received:
        return await self.send_body(upload_id, at, body_of(*pieces, cut=cut), storage=storage, **said)

    async def send_body(
        self, upload_id: UUID, at: int, body: AsyncIterator[bytes], *, storage: Storage | None = None, **said: Any
    ) -> Received:
        receiver = Receiver(self.database, Silence(), storage or self.storage, SETTINGS)
        return await receiver.receive(person=self.person, upload_id=upload_id, chunk=Chunk(at, **said), body=body)

    async def offset(self, upload_id: UUID) -> int:
        async with self.database.work(Silence()) as work:
            return (await uploads.get_upload(work, person=self.person, upload_id=upload_id)).offset_bytes

    async def everything(self) -> dict[str, Any]:
        """Rows, work, objects and unfinished multipart uploads, but for the number that each writer takes."""
        found: dict[str, Any] = {}
        async with self.database.work(Silence()) as work:
            for table in ("upload", "recording", "stage_run", "person"):
                rows = (await work.session.execute(text(f"SELECT * FROM {table} ORDER BY id"))).mappings().all()
                found[table] = [{key: row[key] for key in row if key != "writer"} for row in rows]
        for upload in found["upload"]:
            for key in (f"originals/{upload['recording_id']}", f"uploads/{upload['id']}/"):
                stored = await self.storage.keys(key)
                found[key] = {each: hashlib.sha256(await self.storage.get(each)).hexdigest() for each in stored}
        found["multiparts"] = await multiparts(self.storage)
        return found

    async def original(self, received: Received) -> bytes:
        return await self.storage.get(f"originals/{received.recording_id}")


async def multiparts(storage: Storage) -> list[tuple[str, str]]:
    """Unfinished multipart uploads of the whole bucket."""
    listed = await asyncio.to_thread(storage._client.list_multipart_uploads, Bucket=storage._bucket)
    return sorted((each["Key"], each["UploadId"]) for each in listed.get("Uploads", []))


async def a_phone(database: Database, storage: Storage) -> Phone:
    """A phone of somebody new."""
    async with database.work(Silence()) as work:
        person = await a_person(work, role=Role.LEARNER)
    return Phone(database, storage, person)


async def assert_arrived(phone: Phone, received: Received, content: bytes) -> None:
    stored = await phone.original(received)
    assert hashlib.sha256(stored).hexdigest() == hashlib.sha256(content).hexdigest()
    state = await phone.everything()
    (upload,) = state["upload"]
    assert (upload["offset_bytes"], upload["tail_key"]) == (len(content), None)
    assert upload["completed_at"] is not None
    assert [(row["state"], row["size_bytes"], row["container"]) for row in state["recording"]] == [
        ("uploaded", len(content), "mp4")
    ]
    assert [(row["stage"], row["state"], row["attempt"]) for row in state["stage_run"]] == [("probe", "waiting", 0)]
    assert state[f"uploads/{upload['id']}/"] == {}
    assert state["multiparts"] == []


async def refuse(phone: Phone, upload_id: UUID, error: type[LorecastError], *args: Any, **said: Any) -> LorecastError:
    """Send, expect the refusal, and see that nothing changed."""
    before = await phone.everything()
    with pytest.raises(error) as refused:
        await phone.send(upload_id, *args, **said)
    assert await phone.everything() == before
    return refused.value
