"""Clips and their media: ranges as RFC 9110 has them, and permission asked on every request and while bytes flow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from accounts import service as accounts
from accounts.models import Person, Role
from api import ranges
from api.ranges import ByteRange
from infra.database import Database, Silence
from infra.errors import NotFound
from infra.storage import Storage
from learn.states import LessonState
from tests.api.live import serving
from tests.builders import a_clip, a_clip_file, a_lesson, a_person
from tests.fixtures.web import ClientFor

CONTENT = random.Random(1).randbytes(1000)


@dataclass
class Shown:
    """A published clip with one file, and somebody who learns."""

    http: httpx.AsyncClient
    person: Person
    clip: str
    key: str

    @property
    def path(self) -> str:
        return f"/media/{self.clip}/720p.mp4"


@pytest.fixture
async def shown(database: Database, storage: Storage, token_client_for: ClientFor) -> Shown:
    async with database.work(Silence()) as work:
        person = await a_person(work, role=Role.LEARNER)
        clip = await a_clip(work)
        file = await a_clip_file(work, clip=clip)
        await a_lesson(work, clip=clip)
    await storage.put(file.key, CONTENT, media_type="video/mp4")
    return Shown(await token_client_for(person), person, str(clip.id), file.key)


async def test_the_whole_file_comes_without_a_range(shown: Shown) -> None:
    reply = await shown.http.get(shown.path)
    assert (reply.status_code, reply.content) == (200, CONTENT)
    assert reply.headers["content-type"] == "video/mp4"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "private, no-cache"
    assert "content-range" not in reply.headers


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-0", 0, 0), ("bytes=100-", 100, 999), ("bytes=-10", 990, 999)]
)
async def test_a_range_comes_as_asked_for_and_head_tells_the_same(
    shown: Shown, asked: str, first: int, last: int
) -> None:
    reply = await shown.http.get(shown.path, headers={"Range": asked})
    assert (reply.status_code, reply.content) == (206, CONTENT[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/1000"
    assert reply.headers["content-length"] == str(last - first + 1)
    head = await shown.http.head(shown.path, headers={"Range": asked})
    assert (head.status_code, head.content) == (206, b"")
    assert dict(head.headers) == dict(reply.headers)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
async def test_a_range_outside_is_refused_with_the_size(shown: Shown, asked: str) -> None:
    reply = await shown.http.get(shown.path, headers={"Range": asked})
    assert (reply.status_code, reply.content) == (416, b"")
    assert reply.headers["content-range"] == "bytes */1000"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-1", "bytes=5-1", "nonsense"])
async def test_a_range_that_is_not_understood_gives_the_whole(shown: Shown, asked: str) -> None:
    reply = await shown.http.get(shown.path, headers={"Range": asked})
    assert (reply.status_code, reply.content) == (200, CONTENT)


async def test_a_range_of_another_file_gives_the_whole_of_this_one(shown: Shown) -> None:
    etag = (await shown.http.head(shown.path)).headers["etag"]
    same = await shown.http.get(shown.path, headers={"Range": "bytes=0-9", "If-Range": etag})
    assert (same.status_code, same.content) == (206, CONTENT[:10])
    for other in ('"other"', f"W/{etag}", "Sun, 22 Nov 2026 10:00:00 GMT"):
        reply = await shown.http.get(shown.path, headers={"Range": "bytes=0-9", "If-Range": other})
        assert (reply.status_code, reply.content) == (200, CONTENT)


async def test_what_the_browser_has_is_not_sent_again_but_permission_is_asked(shown: Shown, database: Database) -> None:
    etag = (await shown.http.head(shown.path)).headers["etag"]
    assert (await shown.http.get(shown.path, headers={"If-None-Match": etag})).status_code == 304
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE lesson SET state = :state"), {"state": LessonState.RETIRED.value})
    reply = await shown.http.get(shown.path, headers={"If-None-Match": etag, "Range": "bytes=0-9"})
    assert (reply.status_code, reply.json()["code"]) == (404, "clip.not_found")


async def test_a_person_who_is_disabled_gets_no_more_bytes(shown: Shown, database: Database) -> None:
    assert (await shown.http.get(shown.path)).status_code == 200
    async with database.work(Silence()) as work:
        await accounts.disable_person(work, await accounts.get_person(work, shown.person.id))
    assert (await shown.http.get(shown.path, headers={"Range": "bytes=0-9"})).status_code == 401


async def test_bytes_that_flow_end_when_permission_ends(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "_LOOK_EVERY_S", 0.0)
    await storage.put("test/flow", b"x" * 1024**2, media_type="video/mp4")
    allowed = iter([True, False])

    async def still_allowed() -> None:
        if not next(allowed):
            raise NotFound("Gone.")

    pieces = await ranges.opened(storage, "test/flow", ByteRange(0, 1024**2 - 1), still_allowed)
    came: list[bytes] = []
    with pytest.raises(NotFound):
        await drained(pieces, came)
    assert 0 < len(b"".join(came)) < 1024**2


async def drained(pieces: AsyncIterator[bytes], came: list[bytes]) -> None:
    async for piece in pieces:
        came.append(piece)  # noqa: PERF401 - what came before an error counts


async def test_a_download_under_way_ends_when_the_person_is_disabled(
    shown: Shown, app: FastAPI, database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 24 * 1024**2
    monkeypatch.setattr(ranges, "_LOOK_EVERY_S", 0.1)
    await storage.put(shown.key, bytes(size), media_type="video/mp4")
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE clip_file SET size_bytes = :size"), {"size": size})
    headers = {"authorization": shown.http.headers["authorization"]}
    async with (
        serving(app) as address,
        httpx.AsyncClient(base_url=address, headers=headers) as client,
        client.stream("GET", shown.path) as reply,
    ):
        pieces: AsyncIterator[bytes] = reply.aiter_raw(65536)
        came = [await anext(pieces)]
        async with database.work(Silence()) as work:
            await accounts.disable_person(work, await accounts.get_person(work, shown.person.id))
        await asyncio.sleep(0.2)
        with pytest.raises(httpx.RemoteProtocolError):
            await drained(pieces, came)
    assert 0 < len(b"".join(came)) < size


async def test_a_file_that_is_lost_is_a_refusal_and_no_empty_answer(shown: Shown, storage: Storage) -> None:
    await storage.delete([shown.key])
    reply = await shown.http.get(shown.path)
    assert (reply.status_code, reply.json()["code"]) == (404, "storage.not_found")


async def test_what_is_said_comes_as_transcript_chapters_and_captions(shown: Shown, database: Database) -> None:
    clip = (await shown.http.get(f"/api/v1/clips/{shown.clip}")).json()
    assert [(file["name"], file["url"]) for file in clip["files"]] == [("720p.mp4", shown.path)]
    said = (await shown.http.get(f"/api/v1/clips/{shown.clip}/transcript")).json()
    assert said["segments"][0]["words"][0]["text"] == "Open"
    chapters = (await shown.http.get(f"/api/v1/clips/{shown.clip}/chapters")).json()
    assert [set(chapter) for chapter in chapters] == [{"start_s", "end_s", "title"}] * 2
    captions = await shown.http.get(f"/api/v1/clips/{shown.clip}/captions.vtt")
    assert (captions.text, captions.headers["content-type"]) == ("WEBVTT\n", "text/vtt; charset=utf-8")
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE clip SET transcript = NULL, chapters = NULL"))
    reply = await shown.http.get(f"/api/v1/clips/{shown.clip}/transcript")
    assert (reply.status_code, reply.json()["code"]) == (404, "clip.no_transcript")
    assert (await shown.http.get(f"/api/v1/clips/{shown.clip}/chapters")).json() == []
