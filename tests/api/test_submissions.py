"""Review over HTTP: a verdict names what was seen; what makes no sense is refused and changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.dependencies import Services
from tests.api.access import World, a_world


@pytest.fixture
async def world(app: FastAPI, services: Services) -> World:
    return await a_world(app, services)


async def waiting(world: World) -> tuple[httpx.AsyncClient, str, dict[str, Any]]:
    """A reviewer, and the address and description of a submission that waits."""
    made = await world.ask("GET", "/api/v1/submissions/{submission_id}", "waiting", "reviewer")
    return world.client("reviewer"), f"/api/v1/submissions/{made.json()['id']}", made.json()


async def test_a_reviewer_sees_approves_and_is_told_so(world: World) -> None:
    client, path, told = await waiting(world)
    async with client:
        said = await client.post(f"{path}/comments", json={"text": "<img src=x onerror=alert(1)>", "at_s": 3.5})
        assert (said.status_code, said.json()["at_s"]) == (201, 3.5)
        listed = (await client.get(f"{path}/comments")).json()
        assert [(each["text"], each["author"]) for each in listed] == [
            ("<img src=x onerror=alert(1)>", world.people["reviewer"].name)
        ]
        decided = await client.post(f"{path}/verdict", json={"decision": "approve", "digest": told["digest"]})
        assert (decided.status_code, decided.json()["state"]) == (200, "approved")
        assert (await client.get("/api/v1/submissions")).json() == []
        assert [each["id"] for each in (await client.get("/api/v1/submissions?state=approved")).json()] == [told["id"]]


@pytest.mark.parametrize(
    ("verdict", "status", "code"),
    [
        ({"decision": "approve", "digest": "0" * 64}, 409, "submission.stale_digest"),
        ({"decision": "approve", "digest": "short"}, 422, "invalid_input"),
        ({"decision": "approve"}, 422, "invalid_input"),
        ({"decision": "publish"}, 422, "invalid_input"),
        ({"decision": "reject"}, 422, "review.text_missing"),
        ({"decision": "request_changes", "text": "\0 "}, 422, "review.text_missing"),
        ({"decision": "reject", "text": "x" * 4001}, 422, "invalid_input"),
    ],
)
async def test_a_verdict_that_makes_no_sense_is_refused(
    world: World, verdict: dict[str, str], status: int, code: str
) -> None:
    client, path, told = await waiting(world)
    if status != 409 and verdict != {"decision": "approve"}:
        verdict = {"digest": told["digest"], **verdict}
    before = await world.rows()
    async with client:
        reply = await client.post(f"{path}/verdict", json=verdict)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert await world.rows() == before


@pytest.mark.parametrize("said", [{"text": ""}, {"text": "x", "at_s": 15.1}, {"text": "x", "at_s": -1}, {"at_s": 1}])
async def test_a_comment_that_makes_no_sense_is_refused(world: World, said: dict[str, Any]) -> None:
    client, path, _ = await waiting(world)
    before = await world.rows()
    async with client:
        assert (await client.post(f"{path}/comments", json=said)).status_code == 422
    assert await world.rows() == before
