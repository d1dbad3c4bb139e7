"""The unit of work of a request, who sends it, and the session cookie, on the real database."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Body, FastAPI, Response
from sqlalchemy import text

from accounts import service
from accounts.models import Person, Role
from api.dependencies import (
    MaybePersonDep,
    Services,
    WorkDep,
    clear_session_cookie,
    cookie_name,
    set_session_cookie,
)
from infra.database import Database, Silence, utc_now
from infra.errors import NotFound
from infra.settings import WebSettings
from tests.builders import a_person
from tests.fixtures.web import ClientFor, open_client


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    """The JSON door with a few routes for these tests."""
    router = APIRouter()

    @router.post("/test/people", status_code=201)
    async def add(work: WorkDep, email: str, fails: bool = False) -> dict[str, str]:
        person = await service.add_person(work, email=email, name="Ada", role=Role.LEARNER)
        if fails:
            raise NotFound("Something else is not there.")
        return {"id": str(person.id)}

    @router.get("/test/maybe")
    async def maybe(person: MaybePersonDep) -> str | None:
        return person.email if person else None

    app.include_router(router)
    return app


async def emails(database: Database) -> set[str]:
    async with database.work(Silence()) as work:
        return {person.email for person in await service.list_people(work)}


async def committed(database: Database, role: Role = Role.LEARNER) -> Person:
    async with database.work(Silence()) as work:
        return await a_person(work, role=role)


async def test_what_a_request_did_is_kept_before_its_reply_leaves(
    client: httpx.AsyncClient, database: Database
) -> None:
    reply = await client.post("/test/people", params={"email": "ada@example.org"})
    assert reply.status_code == 201
    assert await emails(database) == {"ada@example.org"}


async def test_a_request_that_fails_in_the_middle_keeps_nothing(client: httpx.AsyncClient, database: Database) -> None:
    reply = await client.post("/test/people", params={"email": "ada@example.org", "fails": True})
    assert reply.status_code == 404
    assert await emails(database) == set()


async def test_a_commit_that_fails_is_no_2xx(app: FastAPI, database: Database) -> None:
    async with database.work(Silence()) as work:
        function = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$"
        trigger = "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON person INITIALLY DEFERRED"
        await work.session.execute(text(function))
        await work.session.execute(text(f"{trigger} FOR EACH ROW EXECUTE FUNCTION refuse()"))
    async with open_client(app, raises=False) as client:
        reply = await client.post("/test/people", params={"email": "ada@example.org"})
    assert reply.status_code == 500
    assert reply.json()["code"] == "internal"
    assert "no room" not in reply.text
    assert await emails(database) == set()


async def test_a_database_that_goes_away_in_the_middle_is_a_503_and_the_next_request_works(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    @app.post("/test/lost")
    async def lose(work: WorkDep) -> str:
        await service.add_person(work, email="lost@example.org", name="Ada", role=Role.LEARNER)
        own = (await work.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with database.work(Silence()) as other:
            await other.session.execute(text("SELECT pg_terminate_backend(:own, 2000)"), {"own": own})
        return "kept"

    reply = await client.post("/test/lost")
    assert (reply.status_code, reply.json()["code"]) == (503, "unavailable.database")
    assert reply.headers["retry-after"]
    assert (await client.post("/test/people", params={"email": "ada@example.org"})).status_code == 201
    assert await emails(database) == {"ada@example.org"}


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 2**70])
async def test_a_value_that_no_column_holds_is_the_senders_fault(
    app: FastAPI, client: httpx.AsyncClient, value: str | int
) -> None:
    @app.post("/test/value")
    async def look(work: WorkDep, value: Annotated[str | int, Body(embed=True)]) -> None:
        kind = "int" if isinstance(value, int) else "text"
        await work.session.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})

    content = json.dumps({"value": value})
    reply = await client.post("/test/value", content=content, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input")
    assert "cannot be stored" in reply.json()["detail"]


async def test_nobody_is_told_so(client: httpx.AsyncClient) -> None:
    reply = await client.get("/api/v1/me")
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert (await client.get("/test/maybe")).json() is None


async def test_a_session_cookie_says_who_it_is(client_for: ClientFor, database: Database) -> None:
    ada = await committed(database)
    client = await client_for(ada)
    assert (await client.get("/api/v1/me")).json()["email"] == ada.email
    assert (await client.get("/test/maybe")).json() == ada.email


async def test_a_bearer_token_says_who_it_is(token_client_for: ClientFor, database: Database) -> None:
    ada = await committed(database)
    assert (await (await token_client_for(ada)).get("/api/v1/me")).json()["email"] == ada.email


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer wrong", "bearer lore_wrong", "Bearer lore_\x80"])
async def test_a_wrong_token_never_falls_back_to_the_cookie(
    client_for: ClientFor, database: Database, header: str
) -> None:
    client = await client_for(await committed(database))
    for path in ("/api/v1/me", "/test/maybe"):
        reply = await client.get(path, headers={b"Authorization": header.encode("latin-1")})
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated.token")


async def test_a_cookie_that_means_nothing_is_nobody(client: httpx.AsyncClient, services: Services) -> None:
    client.cookies.set(cookie_name(services.settings), "made-up")
    assert (await client.get("/api/v1/me")).status_code == 401
    assert (await client.get("/test/maybe")).json() is None


async def test_a_disabled_person_is_refused_by_the_next_request(
    client_for: ClientFor, token_client_for: ClientFor, database: Database
) -> None:
    ada = await committed(database)
    clients = [await client_for(ada), await token_client_for(ada)]
    assert [(await client.get("/api/v1/me")).status_code for client in clients] == [200, 200]
    async with database.work(Silence()) as work:
        await service.disable_person(work, await service.get_person(work, ada.id))
    assert [(await client.get("/api/v1/me")).status_code for client in clients] == [401, 401]


async def test_a_session_that_was_idle_too_long_is_nobody(
    client_for: ClientFor, database: Database, services: Services
) -> None:
    client = await client_for(await committed(database))
    then = utc_now() - timedelta(days=services.settings.session_idle_days, seconds=1)
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE session SET seen_at = :then"), {"then": then})
    assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (WebSettings(public_url="https://learn.example.org"), "__Host-lorecast"),
        (WebSettings(public_url="http://127.0.0.1:8000"), "__Host-lorecast"),
        (WebSettings(public_url="http://localhost:8000"), "__Host-lorecast"),
        (WebSettings(host="127.0.0.1"), "__Host-lorecast"),
        (WebSettings(public_url="http://learn.example.org"), "lorecast"),
        (WebSettings(public_url="http://10.0.0.7:8000"), "lorecast"),
        (WebSettings(host="0.0.0.0"), "lorecast"),  # noqa: S104
    ],
)
def test_the_cookie_is_as_strict_as_browsers_allow_there(settings: WebSettings, name: str) -> None:
    signed_in, signed_out = Response(), Response()
    set_session_cookie(signed_in, "s3cret", settings)
    clear_session_cookie(signed_out, settings)
    for reply in (signed_in, signed_out):
        cookie = reply.headers["set-cookie"]
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith(f"{name}=")
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert ("secure" in attributes) is (name == "__Host-lorecast")
        assert not any(part.startswith("domain") for part in attributes)
