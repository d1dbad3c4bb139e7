"""Nobody sees or does what the table forbids: every route, every kind of person, every state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from api.dependencies import Services
from tests.api.access import KINDS, OPEN, TABLE, World, a_world
from tests.api.live import serving

_STREAM = ("GET", "/api/v1/events")


@pytest.fixture
async def world(app: FastAPI, services: Services) -> World:
    return await a_world(app, services)


def every_route(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """The routes, also those inside of included routers; anything else would be a door the table does not know."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from every_route(route.original_router.routes)  # type: ignore[attr-defined]


def test_every_route_has_a_row_and_every_row_a_route(app: FastAPI) -> None:
    served = {(method, route.path) for route in every_route(app.routes) for method in route.methods or ()}
    assert {each for each in served if each != ("HEAD", "/api/v1/openapi.json")} == TABLE.keys() | OPEN.keys()


@pytest.mark.parametrize(("method", "path"), [route for route in TABLE if route != _STREAM], ids=lambda part: part)
async def test_the_table_holds(world: World, method: str, path: str) -> None:
    wrong: list[tuple[object, ...]] = []
    for state, allowed in TABLE[method, path].items():
        for kind, status in zip(KINDS, (401, 401, *allowed), strict=True):
            reply = await world.ask(method, path, state, kind)
            if reply.status_code != status:
                wrong.append((state, kind, status, reply.status_code, reply.text[:200]))
            if status >= 400 and await world.rows() != world.before:
                wrong.append((state, kind, status, "refused, but something changed", ""))
    assert wrong == []


@pytest.mark.parametrize(("method", "path"), list(OPEN), ids=lambda part: part)
async def test_open_routes_are_open_and_tell_nothing_about_people(world: World, method: str, path: str) -> None:
    for kind in KINDS:
        async with world.client(kind) as client:
            reply = await client.request(method, path.format(upload_id="00000000-0000-0000-0000-000000000000"))
        assert reply.status_code == OPEN[method, path]
        assert not any(person.email in reply.text or person.name in reply.text for person in world.people.values())


async def test_the_stream_of_events_opens_for_people_only(world: World) -> None:
    async with serving(world.app) as address:
        for kind, status in zip(KINDS, (401, 401, *TABLE[_STREAM][""]), strict=True):
            async with world.client(kind) as known, httpx.AsyncClient(base_url=address) as client:
                headers = {"authorization": known.headers.get("authorization", "Bearer wrong")}
                async with client.stream("GET", _STREAM[1], headers=headers) as reply:
                    assert (kind, reply.status_code) == (kind, status)


async def test_a_list_holds_only_what_one_may_see(world: World) -> None:
    await world.ask("GET", "/api/v1/submissions/{submission_id}", "waiting", "owner")
    counted = {}
    for kind in ("stranger", "owner", "reviewer", "admin"):
        async with world.client(kind) as client:
            lists = [(await client.get(f"/api/v1/{name}")).json() for name in ("recordings", "submissions", "lessons")]
        counted[kind] = [len(each) for each in lists]
    assert counted == {"stranger": [0, 0, 0], "owner": [1, 1, 0], "reviewer": [0, 1, 0], "admin": [0, 1, 0]}


async def test_a_refusal_does_not_tell_what_is_there(world: World) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    for method, path, state in [
        ("GET", "/api/v1/recordings/{recording_id}", "ready"),
        ("GET", "/api/v1/clips/{clip_id}", "unpublished"),
        ("GET", "/api/v1/submissions/{submission_id}", "waiting"),
        ("PATCH", "/api/v1/uploads/{upload_id}", "open"),
    ]:
        hidden = await world.ask(method, path, state, "stranger")
        parameters = dict.fromkeys(("recording_id", "clip_id", "submission_id", "upload_id"), nothing)
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        async with world.client("stranger") as client:
            missing = await client.request(method, path.format(**parameters), headers=headers)
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json()["title"] == missing.json()["title"]
        assert hidden.json()["detail"] == missing.json()["detail"]
        assert hidden.json()["code"] == missing.json()["code"]
