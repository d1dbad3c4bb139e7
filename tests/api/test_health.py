"""Health and numbers: what is down is said, and Valkey down is no reason to be unready."""

from __future__ import annotations

from dataclasses import replace

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.dependencies import Services
from infra import ledger
from infra.database import Database, Silence
from infra.queue import Doorbell
from infra.storage import Storage
from tests.builders import a_recording
from tests.fixtures.web import open_client

NOWHERE = "127.0.0.1:9"


async def ready(services: Services) -> httpx.Response:
    async with open_client(create_app(services)) as client:
        assert (await client.get("/livez")).json() == {"status": "ok"}
        return await client.get("/readyz")


async def test_all_of_it_is_ready(services: Services) -> None:
    reply = await ready(services)
    assert (reply.status_code, reply.json()) == (200, {"status": "ok", "doorbell": "ok"})


async def test_without_valkey_it_is_ready(services: Services) -> None:
    bell = Doorbell(f"redis://{NOWHERE}")
    reply = await ready(replace(services, bell=bell))
    await bell.close()
    assert (reply.status_code, reply.json()) == (200, {"status": "ok", "doorbell": "away"})


async def test_without_a_database_or_a_storage_it_is_not(services: Services) -> None:
    database = Database(f"postgresql+asyncpg://x:x@{NOWHERE}/x")
    storage = Storage(url=f"http://{NOWHERE}", access_key="x", secret_key="x", bucket="x", region="us-east-1")
    for broken, code in (
        (replace(services, database=database), "unavailable.database"),
        (replace(services, storage=storage), "unavailable.storage"),
    ):
        reply = await ready(broken)
        assert (reply.status_code, reply.json()["code"]) == (503, code)
        assert int(reply.headers["retry-after"]) > 0
        assert NOWHERE not in reply.text
    await database.close()


async def test_the_numbers_are_those_of_the_ledger(app: FastAPI, database: Database) -> None:
    async with database.work(Silence()) as work:
        for _ in range(2):
            await ledger.require(work, (await a_recording(work)).id, 1, {"probe": 1.0})
    async with open_client(app) as client:
        reply = await client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    assert 'lorecast_stage_runs{stage="probe",state="waiting"} 2.0' in reply.text
    assert 'lorecast_oldest_waiting_seconds{stage="probe"}' in reply.text
