"""Bytes that were acknowledged are in the object storage, whatever happens around them; a refusal changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from accounts import service as accounts
from accounts.models import Role
from capture import receiver as receiving
from capture import uploads
from capture.receiver import PART_BYTES, ChecksumMismatch, Received
from infra.database import Database, Silence
from infra.errors import Forbidden, InvalidInput, NotFound, TooLarge, UnsupportedMedia, WrongState
from infra.storage import MIN_PART_BYTES, Part, Storage
from tests.builders import a_person
from tests.capture.phone import MIB, SETTINGS, Hanging, Phone, a_file, a_phone, assert_arrived, refuse


@pytest.fixture
async def phone(database: Database, storage: Storage) -> Phone:
    return await a_phone(database, storage)


@pytest.mark.parametrize(
    "size",
    [
        65, MIN_PART_BYTES, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, PART_BYTES + MIN_PART_BYTES - 1,
        2 * PART_BYTES, 2 * PART_BYTES + 1,
    ],
)  # fmt: skip
async def test_a_file_arrives_byte_for_byte_whatever_its_size(phone: Phone, size: int) -> None:
    content = a_file(size)
    upload_id = await phone.start(size)
    received = await phone.send(upload_id, 0, *(content[at : at + MIB] for at in range(0, size, MIB)))
    assert received.offset_bytes == size
    await assert_arrived(phone, received, content)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_line_that_is_cut_anywhere_keeps_what_came_and_goes_on(phone: Phone, seed: int) -> None:
    dice = random.Random(seed)
    content = a_file(2 * PART_BYTES + 12345, seed)
    upload_id = await phone.start(len(content))
    at = 0
    while at < len(content):
        end = min(len(content), at + dice.choice([1, 63, 700_000, 3 * MIB, PART_BYTES, PART_BYTES + 5]))
        middle = dice.randint(at, end)
        received = await phone.send(upload_id, at, content[at:middle], content[middle:end], cut=end < len(content))
        assert received.offset_bytes == end == await phone.offset(upload_id)
        at = end
    await assert_arrived(phone, received, content)


async def test_a_line_cut_after_the_last_byte_completes_the_upload(phone: Phone) -> None:
    content = a_file(1000)
    await assert_arrived(phone, await phone.send(await phone.start(1000), 0, content, cut=True), content)


async def test_the_last_request_ten_times_at_once_completes_once(phone: Phone) -> None:
    content = a_file(PART_BYTES + 1000)
    upload_id = await phone.start(len(content))
    await phone.send(upload_id, 0, content[: PART_BYTES + 10])
    last = [phone.send(upload_id, PART_BYTES + 10, content[PART_BYTES + 10 :]) for _ in range(10)]
    outcomes = await asyncio.gather(*last, return_exceptions=True)
    done = [one for one in outcomes if isinstance(one, Received)]
    assert done
    assert all(isinstance(one, Received | WrongState) for one in outcomes), outcomes
    assert {one.offset_bytes for one in done} == {len(content)}
    await assert_arrived(phone, done[0], content)
    again = await phone.send(upload_id, len(content))
    assert again.offset_bytes == len(content)
    await assert_arrived(phone, again, content)


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1000])
async def test_an_older_request_that_wakes_up_changes_no_byte(phone: Phone, size: int) -> None:
    content, other = a_file(size), a_file(size, seed=9)
    upload_id = await phone.start(size)
    hanging = Hanging()
    old = asyncio.create_task(phone.send_body(upload_id, 0, hanging.body()))
    await hanging.pieces.put(other[:100])
    while not hanging.pieces.empty():  # noqa: ASYNC110 - until the old request has taken its number and its piece
        await asyncio.sleep(0.01)
    received = await phone.send(upload_id, 0, content)
    await hanging.pieces.put(other[100:])
    await hanging.pieces.put(None)
    with pytest.raises(WrongState) as refused:
        await old
    assert refused.value.code == "upload.taken_over"
    await assert_arrived(phone, received, content)


async def test_an_older_request_in_the_middle_of_parts_changes_no_byte(phone: Phone) -> None:
    content, other = a_file(2 * PART_BYTES + 1000), a_file(2 * PART_BYTES + 1000, seed=9)
    upload_id = await phone.start(len(content))
    hanging = Hanging()
    old = asyncio.create_task(phone.send_body(upload_id, 0, hanging.body()))
    await hanging.pieces.put(content[:PART_BYTES])
    while await phone.offset(upload_id) < PART_BYTES:  # noqa: ASYNC110 - until its first part is safe
        await asyncio.sleep(0.02)
    await phone.send(upload_id, PART_BYTES, content[PART_BYTES : PART_BYTES + 500], cut=True)
    await hanging.pieces.put(other[PART_BYTES : 2 * PART_BYTES])
    with pytest.raises(WrongState):
        await old
    received = await phone.send(upload_id, PART_BYTES + 500, content[PART_BYTES + 500 :])
    await assert_arrived(phone, received, content)


async def test_a_silent_request_is_cut_when_another_took_over(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_LOOK_EVERY_S", 0.2)
    upload_id = await phone.start(1000)
    hanging = Hanging()
    old = asyncio.create_task(phone.send_body(upload_id, 0, hanging.body()))
    await hanging.pieces.put(a_file(1000)[:100])
    while not hanging.pieces.empty():  # noqa: ASYNC110 - until the old request has taken its number and its piece
        await asyncio.sleep(0.01)
    await phone.send(upload_id, 0, a_file(1000)[:200], cut=True)
    with pytest.raises(WrongState):
        await asyncio.wait_for(old, 5)
    assert await phone.offset(upload_id) == 200


async def test_a_request_that_falls_silent_keeps_what_came(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(receiving, "_SILENT_S", 0.3)
    upload_id = await phone.start(1000)
    hanging = Hanging()
    await hanging.pieces.put(a_file(1000)[:100])
    received = await asyncio.wait_for(phone.send_body(upload_id, 0, hanging.body()), 5)
    assert received.offset_bytes == 100 == await phone.offset(upload_id)


async def test_somebody_disabled_in_the_middle_of_an_upload_is_refused(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_LOOK_EVERY_S", 0.2)
    upload_id = await phone.start(1000)
    hanging = Hanging()
    running = asyncio.create_task(phone.send_body(upload_id, 0, hanging.body()))
    await hanging.pieces.put(a_file(1000)[:100])
    async with phone.database.work(Silence()) as work:
        await accounts.disable_person(work, await accounts.get_person(work, phone.person.id))
    before = await phone.everything()
    with pytest.raises(Forbidden):
        await asyncio.wait_for(running, 5)
    assert await phone.everything() == before


class LostReply(Storage):
    """A storage that does what it is asked once, and dies before it can say so."""

    def __init__(self, real: Storage, method: str) -> None:
        self.__dict__.update(real.__dict__)
        self.method = method

    async def finish_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        await super().finish_multipart(key, upload_id, parts)
        if self.method == "finish_multipart":
            raise asyncio.CancelledError

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        await super().put(key, data, media_type=media_type)
        if self.method == "put":
            raise asyncio.CancelledError

    async def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        part = await super().put_part(key, upload_id, number, data)
        if self.method == "put_part":
            raise asyncio.CancelledError
        return part


@pytest.mark.parametrize(
    ("method", "size"),
    [
        ("finish_multipart", PART_BYTES + 1000), ("finish_multipart", 2 * PART_BYTES), ("put", 1000),
        ("put_part", PART_BYTES + 1000),
    ],
)  # fmt: skip
async def test_a_death_between_storing_and_saying_so_loses_nothing(phone: Phone, method: str, size: int) -> None:
    content = a_file(size)
    upload_id = await phone.start(size)
    dying = LostReply(phone.storage, method)
    with pytest.raises(asyncio.CancelledError):
        await phone.send(upload_id, 0, content[:-300], content[-300:], storage=dying)
    at = await phone.offset(upload_id)
    assert at < size
    await assert_arrived(phone, await phone.send(upload_id, at, content[at:]), content)


async def test_a_death_before_the_commit_leaves_nothing_behind_when_the_upload_is_dropped(phone: Phone) -> None:
    content = a_file(PART_BYTES + 1000)
    upload_id = await phone.start(len(content))
    with pytest.raises(asyncio.CancelledError):
        await phone.send(upload_id, 0, content, storage=LostReply(phone.storage, "finish_multipart"))
    recording_id = (await phone.everything())["recording"][0]["id"]
    async with phone.database.work(Silence()) as work:
        await uploads.cancel_upload(work, phone.storage, person=phone.person, upload_id=upload_id)
    assert await phone.storage.keys(f"originals/{recording_id}") == []
    assert (await phone.everything())["upload"] == (await phone.everything())["recording"] == []


@pytest.mark.parametrize("started", [False, True])
async def test_every_wrong_request_leaves_offset_rows_objects_and_work_as_they_were(
    phone: Phone, started: bool
) -> None:
    content = a_file(1000)
    upload_id, at = await phone.start(1000), 0
    if started:
        at = (await phone.send(upload_id, 0, content[:5], cut=True)).offset_bytes
    rest = content[at:]
    assert (await refuse(phone, upload_id, WrongState, at + 1, rest)).code == "upload.offset_mismatch"
    assert (await refuse(phone, upload_id, WrongState, 500, rest)).code == "upload.offset_mismatch"
    assert (await refuse(phone, upload_id, TooLarge, at, rest, b"x")).code == "upload.too_long"
    assert (await refuse(phone, upload_id, TooLarge, at, rest, announced_bytes=len(rest) + 1)).code == "upload.too_long"
    assert (await refuse(phone, upload_id, InvalidInput, at, rest, length_bytes=2000)).code == "upload.length_changed"
    wrong = {"algorithm": "sha256", "digest": hashlib.sha256(b"other").digest()}
    assert (await refuse(phone, upload_id, ChecksumMismatch, at, rest, **wrong)).status == 460
    assert (await refuse(phone, uuid4(), NotFound, at, rest)).code == "upload.not_found"
    if not started:
        assert (await refuse(phone, upload_id, UnsupportedMedia, 0, b"#EXTM3U\n" * 20)).status == 415
        assert (await refuse(phone, upload_id, UnsupportedMedia, 0, b"x" * 1000)).status == 415
    else:
        assert (await refuse(phone, upload_id, UnsupportedMedia, at, b"x" * 100, cut=True)).status == 415
    await assert_arrived(phone, await phone.send(upload_id, at, rest), content)


async def test_an_upload_of_somebody_else_is_not_there(phone: Phone) -> None:
    upload_id = await phone.start(1000)
    async with phone.database.work(Silence()) as work:
        eve = await a_person(work, role=Role.ADMIN)
    before = await phone.everything()
    stranger = Phone(phone.database, phone.storage, eve)
    for attempt in (stranger.send(upload_id, 0, a_file(1000)), stranger.offset(upload_id)):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(NotFound):
        async with phone.database.work(Silence()) as work:
            await uploads.cancel_upload(work, phone.storage, person=eve, upload_id=upload_id)
    assert await phone.everything() == before


async def test_a_surplus_that_nobody_announced_never_completes_the_upload(phone: Phone) -> None:
    content = a_file(PART_BYTES + 1000)
    upload_id = await phone.start(len(content))
    with pytest.raises(TooLarge):
        await phone.send(upload_id, 0, content, b"x")
    at = await phone.offset(upload_id)
    assert at in {0, PART_BYTES}
    assert (await phone.everything())["stage_run"] == []
    await assert_arrived(phone, await phone.send(upload_id, at, content[at:]), content)


@pytest.mark.parametrize(("algorithm", "cut"), [("sha1", False), ("sha256", False), ("sha256", True)])
async def test_a_chunk_with_a_checksum_is_taken_whole_or_not_at_all(phone: Phone, algorithm: str, cut: bool) -> None:
    content = a_file(1000)
    upload_id = await phone.start(1000)
    said: dict[str, Any] = {"algorithm": algorithm, "digest": hashlib.new(algorithm, content[:600]).digest()}
    sent = content[:300] if cut else content[:600]
    received = await phone.send(upload_id, 0, sent, cut=cut, **said)
    assert received.offset_bytes == (0 if cut else 600) == await phone.offset(upload_id)


async def test_a_chunk_with_a_checksum_is_not_held_beyond_its_limit(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "CHECKED_BYTES", 500)
    upload_id = await phone.start(1000)
    said = {"algorithm": "sha1", "digest": b"0" * 20}
    assert (await refuse(phone, upload_id, TooLarge, 0, a_file(1000), **said)).code == "upload.chunk_too_large"


async def test_a_length_that_comes_later_may_come_with_the_last_bytes_or_alone(phone: Phone) -> None:
    content = a_file(PART_BYTES + 1000)
    for sizes in ((PART_BYTES, 1000), (PART_BYTES + 1000, 0), (500, PART_BYTES + 500)):
        upload_id = await phone.start(None)
        await phone.send(upload_id, 0, content[: sizes[0]])
        received = await phone.send(upload_id, sizes[0], content[sizes[0] :], length_bytes=len(content))
        assert received.offset_bytes == len(content)
        assert await phone.original(received) == content
    state = await phone.everything()
    assert {(row["state"], row["size_bytes"]) for row in state["recording"]} == {("uploaded", len(content))}
    assert len(state["stage_run"]) == 3


async def test_a_deferred_length_of_whole_parts_completes(phone: Phone) -> None:
    content = a_file(PART_BYTES)
    upload_id = await phone.start(None)
    await phone.send(upload_id, 0, content)
    await assert_arrived(phone, await phone.send(upload_id, PART_BYTES, length_bytes=PART_BYTES), content)


async def test_a_deferred_length_has_limits_too(phone: Phone) -> None:
    upload_id = await phone.start(None)
    await phone.send(upload_id, 0, a_file(200))
    assert (await refuse(phone, upload_id, InvalidInput, 200, length_bytes=100)).code == "upload.length_changed"
    too_long = SETTINGS.max_upload_bytes + 1
    assert (await refuse(phone, upload_id, TooLarge, 200, b"x", length_bytes=too_long)).code == "upload.too_large"
    assert (await refuse(phone, upload_id, TooLarge, 200, announced_bytes=too_long)).code == "upload.too_long"
    await phone.send(upload_id, 200, length_bytes=300)
    assert (await refuse(phone, upload_id, InvalidInput, 200, length_bytes=400)).code == "upload.length_changed"
    assert (await phone.send(upload_id, 200, b"x" * 100, length_bytes=300)).offset_bytes == 300
