"""The people of the API: who may ask, and what changes."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from accounts import service
from accounts.models import Person, Role
from infra.database import Database, Silence
from tests.builders import a_person
from tests.fixtures.web import ClientFor


async def committed(database: Database, role: Role) -> Person:
    async with database.work(Silence()) as work:
        return await a_person(work, role=role)


async def everybody(database: Database) -> list[tuple[str, bool]]:
    async with database.work(Silence()) as work:
        return [(person.email, person.disabled_at is None) for person in await service.list_people(work)]


async def test_everybody_can_ask_who_they_are(client_for: ClientFor, database: Database) -> None:
    ada = await committed(database, Role.EXPERT)
    told = (await (await client_for(ada)).get("/api/v1/me")).json()
    assert (told["id"], told["email"], told["role"], told["disabled_at"]) == (str(ada.id), ada.email, "expert", None)


@pytest.mark.parametrize("role", [Role.LEARNER, Role.EXPERT, Role.REVIEWER])
async def test_only_administrators_see_and_change_people(client_for: ClientFor, database: Database, role: Role) -> None:
    ada, eve = await committed(database, role), await committed(database, Role.LEARNER)
    before = await everybody(database)
    client = await client_for(ada)
    replies = [
        await client.get("/api/v1/people"),
        await client.post("/api/v1/people", json={"email": "new@example.org", "name": "New", "role": "admin"}),
        await client.post(f"/api/v1/people/{eve.id}/disable"),
        await client.post(f"/api/v1/people/{uuid4()}/disable"),
    ]
    assert [(reply.status_code, reply.json()["code"]) for reply in replies] == [(403, "forbidden.administer")] * 4
    assert await everybody(database) == before


async def test_an_administrator_adds_lists_and_disables(client_for: ClientFor, database: Database) -> None:
    boss = await committed(database, Role.ADMIN)
    client = await client_for(boss)
    added = await client.post("/api/v1/people", json={"email": "Eve@Example.org", "name": "Eve", "role": "reviewer"})
    assert added.status_code == 201
    assert (added.json()["email"], added.json()["role"]) == ("eve@example.org", "reviewer")
    assert {person["email"] for person in (await client.get("/api/v1/people")).json()} == {
        boss.email,
        "eve@example.org",
    }
    disabled = await client.post(f"/api/v1/people/{added.json()['id']}/disable")
    assert disabled.status_code == 200
    assert disabled.json()["disabled_at"] is not None
    assert ("eve@example.org", False) in await everybody(database)


@pytest.mark.parametrize(
    ("new", "status", "code"),
    [
        ({"email": "BOSS@example.org", "name": "Eve"}, 409, "person.exists"),
        ({"email": "eve", "name": "Eve"}, 422, "person.email"),
        ({"email": "eve\0@example.org", "name": "Eve"}, 422, "person.email"),
        ({"email": "eve@example.org", "name": "\0"}, 422, "person.name"),
        ({"email": "eve@example.org", "name": "\ud800"}, 422, "invalid_input"),
        ({"email": "eve@example.org", "name": "Eve", "role": "owner"}, 422, "invalid_input"),
        ({"email": "eve@example.org"}, 422, "invalid_input"),
        ({"email": "e" * 300 + "@example.org", "name": "Eve"}, 422, "invalid_input"),
    ],
)
async def test_a_person_that_makes_no_sense_is_refused_and_not_added(
    client_for: ClientFor, database: Database, new: dict[str, str], status: int, code: str
) -> None:
    async with database.work(Silence()) as work:
        boss = await a_person(work, role=Role.ADMIN, email="boss@example.org")
    client = await client_for(boss)
    content = json.dumps(new)  # which, unlike httpx, writes half a character too
    reply = await client.post("/api/v1/people", content=content, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert await everybody(database) == [("boss@example.org", True)]


async def test_the_last_administrator_cannot_be_disabled(client_for: ClientFor, database: Database) -> None:
    boss = await committed(database, Role.ADMIN)
    client = await client_for(boss)
    reply = await client.post(f"/api/v1/people/{boss.id}/disable")
    assert (reply.status_code, reply.json()["code"]) == (409, "person.last_admin")
    assert await everybody(database) == [(boss.email, True)]
    assert (await client.get("/api/v1/me")).status_code == 200


async def test_somebody_who_is_not_there_is_not_found(client_for: ClientFor, database: Database) -> None:
    client = await client_for(await committed(database, Role.ADMIN))
    reply = await client.post(f"/api/v1/people/{uuid4()}/disable")
    assert (reply.status_code, reply.json()["code"]) == (404, "person.not_found")
    assert (await client.post("/api/v1/people/not-an-id/disable")).status_code == 422
