"""Requests that change something must come from our own pages; each refusal leaves everything as it was."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text
from starlette.requests import HTTPConnection

from accounts import service
from accounts.models import Role
from api.security import is_forged
from infra.database import Database, Silence
from infra.settings import WebSettings
from tests.builders import a_person
from tests.fixtures.web import ADDRESS, ClientFor

NEW = {"email": "eve@example.org", "name": "Eve"}


async def number_of_people(database: Database) -> int:
    async with database.work(Silence()) as work:
        counted: int = (await work.session.execute(text("SELECT count(*) FROM person"))).scalar_one()
        return counted


async def administrator(client_for: ClientFor, database: Database) -> httpx.AsyncClient:
    async with database.work(Silence()) as work:
        boss = await a_person(work, role=Role.ADMIN)
    client = await client_for(boss)
    client.headers.pop("sec-fetch-site", None)
    return client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": ADDRESS},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": ADDRESS.replace("https", "http")},
        {"Origin": ADDRESS + ".evil.example"},
        {"Origin": "http://[", "Host": ""},
        {"Origin": "https://evil.example", "Host": "evil.example"},
        {"Authorization": "Basic YTpi"},
    ],
)
async def test_a_request_of_another_site_is_refused_and_changes_nothing(
    client_for: ClientFor, database: Database, headers: dict[str, str]
) -> None:
    client = await administrator(client_for, database)
    reply = await client.post("/api/v1/people", json=NEW, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden.cross_site")
    assert reply.headers["content-type"] == "application/problem+json"
    assert await number_of_people(database) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": ADDRESS}, {"Origin": ADDRESS.upper()}],
)
async def test_a_request_of_our_own_pages_passes(
    client_for: ClientFor, database: Database, headers: dict[str, str]
) -> None:
    client = await administrator(client_for, database)
    assert (await client.post("/api/v1/people", json=NEW, headers=headers)).status_code == 201
    assert await number_of_people(database) == 2


async def test_reading_needs_no_proof_of_where_one_comes_from(client_for: ClientFor, database: Database) -> None:
    client = await administrator(client_for, database)
    reply = await client.get("/api/v1/me", headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
    assert reply.status_code == 200


async def test_a_program_with_a_token_passes(token_client_for: ClientFor, database: Database) -> None:
    async with database.work(Silence()) as work:
        boss = await a_person(work, role=Role.ADMIN)
    client = await token_client_for(boss)
    assert (await client.post("/api/v1/people", json=NEW)).status_code == 201


async def test_a_wrong_token_beside_the_cookie_of_an_administrator_opens_nothing(
    client_for: ClientFor, database: Database
) -> None:
    client = await administrator(client_for, database)
    headers = {"Authorization": "Bearer x", "Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/api/v1/people", json=NEW, headers=headers)).status_code == 401
    assert await number_of_people(database) == 1


async def test_a_stranger_without_a_session_is_told_to_sign_in(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.post("/api/v1/people", json=NEW)).status_code == 401
    assert await number_of_people(database) == 0


def connection(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw})


def test_another_site_cannot_sign_its_victim_in_either() -> None:
    settings = WebSettings(public_url=ADDRESS)
    assert is_forged(connection(sec_fetch_site="cross-site"), "POST", settings)
    assert is_forged(connection(origin="https://evil.example"), "POST", settings)
    assert not is_forged(connection(), "POST", settings)


def test_without_a_public_address_the_host_that_the_browser_wrote_counts() -> None:
    settings = WebSettings(host="0.0.0.0")  # noqa: S104
    assert not is_forged(connection(origin="http://box:8000", host="box:8000"), "POST", settings)
    assert is_forged(connection(origin="http://box:8001", host="box:8000"), "POST", settings)
    assert is_forged(connection(origin="null", host=""), "POST", settings)


async def test_the_middle_of_the_service_is_reached_by_allowed_requests_alone(
    client_for: ClientFor, database: Database
) -> None:
    client = await administrator(client_for, database)
    async with database.work(Silence()) as work:
        victim = await a_person(work)
    path = f"/api/v1/people/{victim.id}/disable"
    assert (await client.post(path, headers={"Origin": "https://evil.example"})).status_code == 403
    async with database.work(Silence()) as work:
        assert (await service.get_person(work, victim.id)).disabled_at is None
    assert (await client.post(path, headers={"Origin": ADDRESS})).status_code == 200
    async with database.work(Silence()) as work:
        assert (await service.get_person(work, victim.id)).disabled_at is not None
