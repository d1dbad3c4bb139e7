"""Search, lessons and requests over HTTP: shapes, refusals, and that no input is a server error."""

from __future__ import annotations

import httpx
import pytest
from sqlmodel import col, func, select

from infra.database import Database, Silence
from learn.embedding import Embedder
from learn.models import LessonRequest
from tests.builders import a_person
from tests.fixtures.web import ClientFor
from tests.learn.test_search import HOLIDAY, LABELS, a_spoken_lesson


@pytest.fixture
async def client(database: Database, embedder: Embedder, client_for: ClientFor) -> httpx.AsyncClient:
    """A learner's client; two lessons are published."""
    async with database.work(Silence()) as work:
        await a_spoken_lesson(work, embedder, "Change the label roll", LABELS)
        await a_spoken_lesson(work, embedder, "Ask for a holiday", HOLIDAY)
        person = await a_person(work)
    return await client_for(person)


async def test_a_search_answers_with_moments_that_play(client: httpx.AsyncClient) -> None:
    reply = await client.get("/api/v1/search", params={"q": "how do I open the lid?", "limit": 3})

    assert reply.status_code == 200
    found = reply.json()
    assert found["query"] == "how do I open the lid?"
    assert found["answered"] is True
    first = found["hits"][0]
    assert first["lesson"] == {
        "slug": "change-the-label-roll",
        "title": "Change the label roll",
        "url": "/lessons/change-the-label-roll",
    }
    assert first["text"] == "Open the lid with the blue lever on the left side."
    assert (first["start_s"], first["end_s"]) == (5.5, 11.0)
    assert first["url"] == "/lessons/change-the-label-roll?t=4.5"
    assert {"chapter_title", "score"} <= first.keys()
    assert len(found["hits"]) <= 3


async def test_a_search_that_nothing_answers_says_so(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/search", params={"q": "pension fund contribution rate"})).json()

    assert (found["answered"], found["hits"]) == (False, [])


@pytest.mark.parametrize("query", ["", " ", "\x00\n", "x" * 4000])
async def test_a_query_of_nothing_or_too_much_is_refused_with_a_sentence(client: httpx.AsyncClient, query: str) -> None:
    for reply in (
        await client.get("/api/v1/search", params={"q": query}),
        await client.post("/api/v1/requests", json={"query": query}),
    ):
        assert reply.status_code == 422
        assert reply.json()["code"].startswith("search.")


@pytest.mark.parametrize(
    "query", ["🙂", "%", "_%_", "how do I", "'; DROP TABLE lesson; --", "a\x00b", "<script>", "\\"]
)
async def test_any_other_query_is_answered_or_refused_politely(client: httpx.AsyncClient, query: str) -> None:
    reply = await client.get("/api/v1/search", params={"q": query})

    assert reply.status_code == 200
    assert reply.json()["answered"] == bool(reply.json()["hits"])


@pytest.mark.parametrize("limit", ["0", "-1", "51", "many"])
async def test_a_limit_out_of_range_is_refused(client: httpx.AsyncClient, limit: str) -> None:
    assert (await client.get("/api/v1/search", params={"q": "lid", "limit": limit})).status_code == 422


async def test_lessons_are_listed_and_shown(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/lessons")).json()
    shown = (await client.get(f"/api/v1/lessons/{listed[0]['slug']}")).json()
    older = (await client.get("/api/v1/lessons", params={"before": listed[0]["published_at"]})).json()

    assert [lesson["title"] for lesson in listed] == ["Ask for a holiday", "Change the label roll"]
    assert [lesson["title"] for lesson in older] == ["Change the label roll"]
    assert listed[0].items() <= shown.items()
    assert [chapter["start_s"] for chapter in shown["chapters"]] == [0.0, 9.6]


@pytest.mark.parametrize("before", ["2026-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
async def test_a_time_that_cannot_be_is_refused(client: httpx.AsyncClient, before: str) -> None:
    assert (await client.get("/api/v1/lessons", params={"before": before})).status_code == 422


@pytest.mark.parametrize("slug", ["nothing-here", "%00", "%F0%9F%99%82", "%25"])
async def test_an_unknown_lesson_is_not_found(client: httpx.AsyncClient, slug: str) -> None:
    reply = await client.get(f"/api/v1/lessons/{slug}")

    assert (reply.status_code, reply.json()["code"]) == (404, "lesson.not_found")


async def test_a_missing_lesson_is_asked_for_once(client: httpx.AsyncClient, database: Database) -> None:
    replies = [await client.post("/api/v1/requests", json={"query": "fix the coffee machine"}) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    async with database.work(Silence()) as work:
        assert (await work.session.exec(select(func.count(col(LessonRequest.id))))).one() == 1
