"""Uploads are opened within limits, and dropped without a trace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from capture import uploads
from capture.models import Upload
from capture.receiver import PART_BYTES
from capture.uploads import NewUpload
from infra.database import Database, Silence, utc_now
from infra.errors import InvalidInput, LorecastError, NotFound, TooLarge, UnsupportedMedia, WrongState
from infra.settings import UploadSettings
from infra.storage import Storage
from tests.capture.phone import SETTINGS, Hanging, Phone, a_file, a_phone, assert_arrived, multiparts, refuse


@pytest.fixture
async def phone(database: Database, storage: Storage) -> Phone:
    return await a_phone(database, storage)


async def test_an_upload_cancelled_or_expired_leaves_no_byte_and_no_row(phone: Phone) -> None:
    content = a_file(PART_BYTES + 1000)
    cancelled, expired = await phone.start(len(content)), await phone.start(len(content))
    for upload_id in (cancelled, expired):
        await phone.send(upload_id, 0, content[:-1], cut=True)
    assert len(await multiparts(phone.storage)) == 2
    async with phone.database.work(Silence()) as work:
        await uploads.cancel_upload(work, phone.storage, person=phone.person, upload_id=cancelled)
        row = await work.session.get_one(Upload, expired)
        row.expires_at = utc_now() - timedelta(seconds=1)
    for gone in (cancelled, expired):
        await refuse(phone, gone, NotFound, len(content) - 1, b"x")
    async with phone.database.work(Silence()) as work:
        assert await uploads.drop_expired(work, phone.storage) == 1
    state = await phone.everything()
    assert (state["upload"], state["recording"], state["multiparts"]) == ([], [], [])
    for upload_id in (cancelled, expired):
        assert await phone.storage.keys(f"uploads/{upload_id}") == []


async def test_a_request_that_runs_while_the_upload_is_cancelled_is_refused(phone: Phone) -> None:
    upload_id = await phone.start(1000)
    hanging = Hanging()
    running = asyncio.create_task(phone.send_body(upload_id, 0, hanging.body()))
    await hanging.pieces.put(a_file(1000)[:500])
    while not hanging.pieces.empty():  # noqa: ASYNC110 - until the request has taken its number and its piece
        await asyncio.sleep(0.01)
    async with phone.database.work(Silence()) as work:
        await uploads.cancel_upload(work, phone.storage, person=phone.person, upload_id=upload_id)
    await hanging.pieces.put(None)
    with pytest.raises(NotFound):
        await running
    assert await phone.storage.keys(f"uploads/{upload_id}") == []


async def test_a_finished_upload_cannot_be_cancelled(phone: Phone) -> None:
    content = a_file(1000)
    upload_id = await phone.start(1000)
    received = await phone.send(upload_id, 0, content)
    with pytest.raises(WrongState):
        async with phone.database.work(Silence()) as work:
            await uploads.cancel_upload(work, phone.storage, person=phone.person, upload_id=upload_id)
    await refuse(phone, upload_id, TooLarge, 1000, b"x", announced_bytes=1)
    await assert_arrived(phone, received, content)


async def test_one_person_has_so_many_unfinished_uploads_and_no_more(phone: Phone) -> None:
    few = replace_limit(3)
    new = NewUpload(10, "video/mp4", "x", None)
    for _ in range(3):
        async with phone.database.work(Silence()) as work:
            await uploads.start_upload(work, person=phone.person, new=new, settings=few)
    with pytest.raises(WrongState) as refused:
        async with phone.database.work(Silence()) as work:
            await uploads.start_upload(work, person=phone.person, new=new, settings=few)
    assert refused.value.code == "upload.too_many_open"
    assert len((await phone.everything())["upload"]) == len((await phone.everything())["recording"]) == 3


def replace_limit(number: int) -> UploadSettings:
    return UploadSettings(max_open_uploads=number)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"length_bytes": 0}, InvalidInput),
        ({"length_bytes": -5}, InvalidInput),
        ({"length_bytes": SETTINGS.max_upload_bytes + 1}, TooLarge),
        ({"media_type": "text/html"}, UnsupportedMedia),
        ({"media_type": ""}, UnsupportedMedia),
    ],
)
async def test_what_cannot_be_uploaded_is_refused_before_a_byte_is_taken(
    phone: Phone, change: dict[str, Any], error: type[LorecastError]
) -> None:
    new = replace(NewUpload(1000, "video/mp4", "x", None), **change)
    with pytest.raises(error):
        async with phone.database.work(Silence()) as work:
            await uploads.start_upload(work, person=phone.person, new=new, settings=SETTINGS)
    state = await phone.everything()
    assert (state["upload"], state["recording"]) == ([], [])


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("  Change\tthe \n roll ", "Change the roll"),
        ("", "Untitled recording"),
        ("\u202e\u0007", "Untitled recording"),
        ("x" * 500, "x" * 200),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
async def test_a_title_is_one_printable_line(phone: Phone, said: str, title: str) -> None:
    await phone.start(10, title=said)
    assert [row["title"] for row in (await phone.everything())["recording"]] == [title]


@pytest.mark.parametrize(("said", "kept"), [(None, None), ("", None), ("DE", "de"), (" en ", "en")])
def test_a_language_is_a_code_of_two_letters(said: str | None, kept: str | None) -> None:
    assert uploads.clean_language(said) == kept


@pytest.mark.parametrize("said", ["eng", "e", "<>", "1a", "ßß", "e\0"])
def test_another_language_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput):
        uploads.clean_language(said)
