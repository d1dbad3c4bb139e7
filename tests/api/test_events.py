"""The stream of events tells each person what changes of theirs, and nobody else's, for as long as they may know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from accounts import service as accounts
from accounts.models import Person, Role
from infra.database import Database, Silence
from tests.api.live import serving
from tests.builders import a_person, a_recording
from tests.fixtures.web import ClientFor


@asynccontextmanager
async def listening(app: FastAPI, known: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[dict[str, Any] | None]]:
    """The recordings that come, one after another; None when the stream has ended."""
    headers = {"authorization": known.headers["authorization"]}
    async with (
        serving(app) as address,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=10) as client,
        client.stream("GET", "/api/v1/events") as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"

        async def recordings() -> AsyncIterator[dict[str, Any] | None]:
            async for line in reply.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
            yield None

        yield recordings()


async def people(database: Database) -> tuple[Person, Person]:
    async with database.work(Silence()) as work:
        return await a_person(work, role=Role.LEARNER), await a_person(work, role=Role.ADMIN)


async def test_a_change_of_ones_own_recording_arrives_and_nobody_elses(
    app: FastAPI, database: Database, token_client_for: ClientFor
) -> None:
    ada, eve = await people(database)
    async with database.work(Silence()) as work:
        mine, other = await a_recording(work, owner=ada), await a_recording(work, owner=eve)
    async with listening(app, await token_client_for(ada)) as events:
        first = await asyncio.wait_for(anext(events), 8)
        assert first is not None
        assert (first["id"], first["title"]) == (str(mine.id), mine.title)
        async with database.work(Silence()) as work:
            await work.session.execute(text("UPDATE recording SET title = 'Theirs' WHERE id = :id"), {"id": other.id})
        async with database.work(Silence()) as work:
            await work.session.execute(text("UPDATE recording SET title = 'Mine' WHERE id = :id"), {"id": mine.id})
        changed = await asyncio.wait_for(anext(events), 8)
        assert changed is not None
        assert (changed["id"], changed["title"]) == (str(mine.id), "Mine")


async def test_the_stream_ends_when_the_person_is_disabled(
    app: FastAPI, database: Database, token_client_for: ClientFor
) -> None:
    ada, _ = await people(database)
    async with database.work(Silence()) as work:
        await a_recording(work, owner=ada)
    async with listening(app, await token_client_for(ada)) as events:
        assert await asyncio.wait_for(anext(events), 8) is not None
        async with database.work(Silence()) as work:
            await accounts.disable_person(work, await accounts.get_person(work, ada.id))
        assert await asyncio.wait_for(anext(events), 5) is None
