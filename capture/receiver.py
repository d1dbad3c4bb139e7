"""Bytes on their way in, by the rules of tus 1.0.0, straight into object storage.

What an offset promises: bytes [0, offset) are in finished S3 parts or in a tail object, and the row that says so has
committed. Order: bytes stored → row committed → reply. S3 takes parts of at least 5 MiB, so what is left at the end
of a request becomes a tail object, which the next request reads back and puts in front of its own bytes.

Each writing request takes the next writer number of the row. A request that hangs cannot lock anybody out: the next
one takes over. Bytes are waited for without a lock and stored under the row's lock, after a look at the number: an
older request that wakes up can neither change the row nor a byte of what the newer one stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

from accounts.models import Person
from accounts.permissions import Action, require
from accounts.service import get_person
from capture.container import HEAD_BYTES, Container, sniff
from capture.models import Recording, Upload
from capture.service import begin_processing, recording_to_process
from capture.uploads import check_length, get_upload, not_a_recording, tail_prefix
from infra.database import Bell, Database, Work
from infra.errors import InvalidInput, LorecastError, NotFound, TooLarge, Unavailable, WrongState
from infra.settings import UploadSettings
from infra.storage import Part, Storage

# Every part but the last has exactly this size, so that part n is the same bytes whoever stores it.
PART_BYTES = 8 * 1024 * 1024
# Bytes with a checksum are held in memory until it is checked.
CHECKED_BYTES = 16 * 1024 * 1024
_LOOK_EVERY_S = 2.0
# A request that brings nothing for this long counts as cut.
_SILENT_S = 30.0
_MEDIA_TYPE = "application/octet-stream"


class ChecksumMismatch(LorecastError):
    """The bytes that came are not those that were sent (status of the tus checksum extension)."""

    status = 460
    default_code = "upload.checksum"


@dataclass(frozen=True)
class Chunk:
    """What a writing request says about itself: where its bytes belong, how many come, what follows from them.

    `length_bytes` is the length of the whole file, for uploads that deferred it. `digest` is the digest of the
    chunk by `algorithm` (a name for `hashlib.new`); the chunk is dropped when it does not match.
    """

    offset_bytes: int
    announced_bytes: int | None = None
    length_bytes: int | None = None
    algorithm: str = ""
    digest: bytes = b""


@dataclass(frozen=True)
class Received:
    """Where an upload stands after a request."""

    offset_bytes: int
    recording_id: UUID
    expires_at: datetime


@dataclass
class _Writer:
    """The state of one writing request; mirrors the row it holds by its writer number."""

    person: Person
    upload_id: UUID
    recording_id: UUID
    number: int
    key: str
    length_bytes: int | None
    offset_bytes: int
    expires_at: datetime
    finished: bool
    says_length: bool
    container: Container | None
    multipart_id: str | None
    parts: list[Part]
    tail_key: str | None
    buffer: bytearray = field(default_factory=bytearray)

    @property
    def end_bytes(self) -> int:
        """Where the buffer ends in the file. What is in a tail object is in the buffer too."""
        return sum(part.size_bytes for part in self.parts) + len(self.buffer)

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the file has come."""
        return self.end_bytes == self.length_bytes


class Receiver:
    """Receives the bytes of one request."""

    def __init__(self, database: Database, bell: Bell, storage: Storage, settings: UploadSettings) -> None:
        self._database = database
        self._bell = bell
        self._storage = storage
        self._settings = settings

    async def receive(self, *, person: Person, upload_id: UUID, chunk: Chunk, body: AsyncIterator[bytes]) -> Received:
        """Append `body` at the chunk's offset.

        A body that breaks off, or falls silent, keeps what came (nothing, when it has a checksum). Raises NotFound;
        Forbidden when the person was disabled meanwhile; WrongState (409) when the offset is not the upload's or a
        newer request took over; TooLarge beyond the length; UnsupportedMedia when the first bytes are no recording;
        ChecksumMismatch. A refused request stores nothing, but whole parts that came before a surplus which nobody
        announced stay.
        """
        writer = await self._take(person, upload_id, chunk)
        if writer.finished:
            return _received(writer)
        if writer.tail_key is not None:
            writer.buffer += await self._storage.get(writer.tail_key)
        try:
            async with aclosing(self._pieces(writer, body)) as pieces:
                if chunk.digest:
                    await self._append(writer, await _checked(pieces, chunk, self._room(writer)))
                else:
                    async for piece in pieces:
                        await self._append(writer, piece)
        except (ConnectionError, EOFError):
            pass
        if writer.end_bytes > writer.offset_bytes or writer.says_length:
            await self._store_rest(writer)
        return _received(writer)

    async def _take(self, person: Person, upload_id: UUID, chunk: Chunk) -> _Writer:
        async with self._database.work(self._bell) as work:
            upload = await get_upload(work, person=person, upload_id=upload_id, lock=True)
            recording = await recording_to_process(work, upload.recording_id)
            require(person, Action.RECORD)
            length_bytes = _length(upload, chunk, self._settings)
            if upload.offset_bytes != chunk.offset_bytes:
                raise WrongState(
                    f"The upload stands at byte {upload.offset_bytes}, not {chunk.offset_bytes}. Nothing was stored."
                    " Ask for the offset and go on from there.",
                    code="upload.offset_mismatch",
                )
            room = (length_bytes or self._settings.max_upload_bytes) - upload.offset_bytes
            if chunk.announced_bytes is not None and chunk.announced_bytes > room:
                raise _too_long()
            upload.writer += 1
            return _Writer(
                person=person,
                upload_id=upload.id,
                recording_id=recording.id,
                number=upload.writer,
                key=recording.original_key,
                length_bytes=length_bytes,
                offset_bytes=upload.offset_bytes,
                expires_at=upload.expires_at,
                finished=upload.completed_at is not None,
                says_length=length_bytes != upload.length_bytes,
                container=Container(recording.container) if recording.container else None,
                multipart_id=upload.multipart_id,
                parts=[Part(**part) for part in upload.parts],
                tail_key=upload.tail_key,
            )

    async def _pieces(self, writer: _Writer, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The pieces of the body. Looks every few seconds, also in the middle of a silence, whether to go on."""
        source = aiter(body)
        looked_at = heard_at = time.monotonic()
        coming: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(source))
                await asyncio.wait({coming}, timeout=_LOOK_EVERY_S)
                if time.monotonic() - looked_at >= _LOOK_EVERY_S:
                    async with self._database.work(self._bell) as work:
                        await _require_turn(work, writer)
                    looked_at = time.monotonic()
                if coming.done():
                    piece, coming, heard_at = coming.result(), None, time.monotonic()
                    if piece is None:
                        return
                    yield piece
                elif time.monotonic() - heard_at >= _SILENT_S:
                    raise EOFError
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    def _room(self, writer: _Writer) -> int:
        """How many bytes the file may still get."""
        return (writer.length_bytes or self._settings.max_upload_bytes) - writer.end_bytes

    async def _append(self, writer: _Writer, piece: bytes) -> None:
        if len(piece) > self._room(writer):
            raise _too_long()
        writer.buffer += piece
        if writer.container is None and len(writer.buffer) >= HEAD_BYTES:
            _recognise(writer)
        # A full part that ends the file is left for `_finish`.
        while len(writer.buffer) > PART_BYTES or (len(writer.buffer) == PART_BYTES and not writer.is_whole):
            await self._store_part(writer)

    async def _store_part(self, writer: _Writer) -> None:
        if writer.multipart_id is None:
            async with self._turn(writer) as (_, upload, _):
                writer.multipart_id = await self._storage.start_multipart(writer.key, media_type=_MEDIA_TYPE)
                upload.multipart_id = writer.multipart_id
        async with self._turn(writer) as (_, upload, recording):
            await self._put_part(writer, bytes(writer.buffer[:PART_BYTES]))
            del writer.buffer[:PART_BYTES]
            # The old tail's bytes are in this part now, so the row forgets the tail in the same commit.
            _note(writer, upload, recording, offset_bytes=writer.end_bytes - len(writer.buffer), tail_key=None)
        await self._forget_tails(writer)

    async def _put_part(self, writer: _Writer, data: bytes) -> None:
        assert writer.multipart_id is not None
        number = len(writer.parts) + 1
        writer.parts.append(await self._storage.put_part(writer.key, writer.multipart_id, number, data))

    async def _store_rest(self, writer: _Writer) -> None:
        if writer.is_whole and writer.container is None:
            _recognise(writer)
        async with self._turn(writer) as (work, upload, recording):
            tail_key = None
            if writer.is_whole:
                await self._finish(writer)
                await begin_processing(work, recording)
            elif writer.buffer:
                tail_key = f"{tail_prefix(writer.upload_id)}{writer.number}"
                await self._storage.put(tail_key, bytes(writer.buffer), media_type=_MEDIA_TYPE)
            _note(writer, upload, recording, offset_bytes=writer.end_bytes, tail_key=tail_key)
            if writer.is_whole:
                upload.completed_at = recording.uploaded_at
        await self._forget_tails(writer)

    async def _finish(self, writer: _Writer) -> None:
        if writer.multipart_id is None:
            await self._storage.put(writer.key, bytes(writer.buffer), media_type=_MEDIA_TYPE)
            return
        try:
            if writer.buffer:
                await self._put_part(writer, bytes(writer.buffer))
                writer.buffer.clear()
            await self._storage.finish_multipart(writer.key, writer.multipart_id, writer.parts)
        except NotFound:
            # An earlier request joined the parts and was cut before it could say so.
            if (await self._storage.head(writer.key)).size_bytes != writer.length_bytes:
                raise

    @asynccontextmanager
    async def _turn(self, writer: _Writer) -> AsyncIterator[tuple[Work, Upload, Recording]]:
        """The rows of the upload, locked and still this writer's; what is changed commits at the end."""
        async with self._database.work(self._bell) as work:
            upload = await _require_turn(work, writer, lock=True)
            recording = await recording_to_process(work, writer.recording_id, lock=True)
            yield work, upload, recording

    async def _forget_tails(self, writer: _Writer) -> None:
        """Delete tail objects that the row cannot name any more: those of this and of older writers, but the newest."""
        if writer.tail_key is None and not writer.is_whole:
            return
        prefix = tail_prefix(writer.upload_id)
        # The bytes are safe and the row says so: trouble with cleaning up is no reason to refuse them.
        with suppress(Unavailable):
            old = [key for key in await self._storage.keys(prefix) if int(key.removeprefix(prefix)) <= writer.number]
            await self._storage.delete([key for key in old if key != writer.tail_key])


async def _next(source: AsyncIterator[bytes]) -> bytes | None:
    return await anext(source, None)


async def _checked(pieces: AsyncIterator[bytes], chunk: Chunk, room: int) -> bytes:
    """All of a chunk, once its digest is known to be right."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > room:
            raise _too_long()
        if len(held) > CHECKED_BYTES:
            raise TooLarge(
                f"A chunk with a checksum may have {CHECKED_BYTES} bytes. Nothing was stored. Send smaller ones.",
                code="upload.chunk_too_large",
            )
    if hashlib.new(chunk.algorithm, held).digest() != chunk.digest:
        raise ChecksumMismatch("The bytes were damaged on their way. They were not stored. Please send them again.")
    return bytes(held)


def _recognise(writer: _Writer) -> None:
    writer.container = sniff(bytes(writer.buffer[:HEAD_BYTES]))
    if writer.container is None:
        raise not_a_recording()


def _length(upload: Upload, chunk: Chunk, settings: UploadSettings) -> int | None:
    """The length of the file, after what this chunk says about it. Once said, it never changes."""
    if chunk.length_bytes is None or chunk.length_bytes == upload.length_bytes:
        return upload.length_bytes
    if upload.length_bytes is not None or chunk.length_bytes < upload.offset_bytes:
        raise InvalidInput(
            "The length of an upload cannot change. Nothing was stored. Please start the upload again.",
            code="upload.length_changed",
        )
    check_length(chunk.length_bytes, settings)
    return chunk.length_bytes


async def _require_turn(work: Work, writer: _Writer, *, lock: bool = False) -> Upload:
    """The row, while this writer may still write. Raises NotFound, Forbidden, WrongState."""
    require(await get_person(work, writer.person.id), Action.RECORD)
    upload = await get_upload(work, person=writer.person, upload_id=writer.upload_id, lock=lock)
    if upload.writer != writer.number:
        raise WrongState(
            "Another request went on with this upload. Ask for the offset and go on from there.",
            code="upload.taken_over",
        )
    return upload


def _note(writer: _Writer, upload: Upload, recording: Recording, *, offset_bytes: int, tail_key: str | None) -> None:
    upload.offset_bytes = offset_bytes
    upload.length_bytes = writer.length_bytes
    upload.multipart_id = writer.multipart_id
    upload.parts = [asdict(part) for part in writer.parts]
    upload.tail_key, upload.tail_bytes = tail_key, len(writer.buffer) if tail_key else 0
    recording.size_bytes = writer.length_bytes or 0
    if writer.container is not None:
        recording.container = writer.container.value
    writer.offset_bytes, writer.tail_key = offset_bytes, tail_key


def _received(writer: _Writer) -> Received:
    return Received(writer.offset_bytes, writer.recording_id, writer.expires_at)


def _too_long() -> TooLarge:
    return TooLarge(
        "More bytes came than were announced. The surplus was not stored. Please start the upload again.",
        code="upload.too_long",
    )
