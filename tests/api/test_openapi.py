"""The description of the API is true, and no input makes it answer with a server error."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from api.dependencies import Services
from infra.database import Silence
from tests.api.access import TABLE, World, a_world
from tests.api.live import serving

# Has no end; tests/api/test_events.py listens to it.
_STREAM = "/api/v1/events"
_CHECKS: list[CheckFunction] = [not_a_server_error, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/offset+octet-stream")
def _as_bytes(_context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture
async def world(app: FastAPI, services: Services) -> World:
    return await a_world(app, services)


async def things(world: World) -> dict[str, str]:
    """Something real for each parameter of a path."""
    made: dict[str, Any] = {}
    async with world.services.database.work(Silence()) as work:
        for path, state in (
            ("/api/v1/recordings/{recording_id}", "failed"),
            ("/api/v1/clips/{clip_id}", "published"),
            ("/api/v1/lessons/{slug}", "published"),
            ("/api/v1/people/{person_id}/disable", ""),
        ):
            made |= await world._address(work, path, state)
        for path, state in (
            ("/api/v1/uploads/{upload_id}", "open"),
            ("/api/v1/submissions/{submission_id}", "waiting"),
        ):
            made |= (
                await (world._upload(work, "HEAD", state) if "upload" in path else world._submission(work, path, state))
            )[0]
    return {name: str(value) for name, value in made.items()}


def fuzz(address: str, token: str, known: dict[str, str], examples: int) -> list[str]:
    """Send what hypothesis thinks of to every operation; returns what was answered wrongly."""
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    wrong: list[str] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path == _STREAM:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy(), real=st.booleans())
        def one(case: schemathesis.Case[Any], real: bool) -> None:
            if real and case.path_parameters:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            headers = {"Authorization": f"Bearer {token}"}
            if "/uploads" in case.path:
                headers["Tus-Resumable"] = "1.0.0"
            reply = case.call(base_url=address, headers=headers, timeout=20)
            case.validate_response(reply, checks=_CHECKS)

        try:
            one()
        except BaseExceptionGroup as failures:
            wrong.append(f"{operation.label}: {failures.exceptions}")
        except AssertionError as failure:
            wrong.append(f"{operation.label}: {failure}")
    return wrong


async def test_no_input_is_a_server_error_and_every_answer_is_as_described(world: World) -> None:
    known = await things(world)
    async with serving(world.app) as address:
        assert await asyncio.to_thread(fuzz, address, world.tokens["admin"], known, 4) == []


@pytest.mark.hard
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["owner", "admin"])
async def test_no_input_is_a_server_error_for_long(world: World, kind: str) -> None:
    known = await things(world)
    async with serving(world.app) as address:
        assert await asyncio.to_thread(fuzz, address, world.tokens[kind], known, 250) == []


def described(app: FastAPI) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_described_once_with_its_errors(app: FastAPI) -> None:
    operations = described(app)
    assert TABLE.keys() - operations.keys() == {("HEAD", "/media/{clip_id}/{name}")}
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names))
    for route, operation in operations.items():
        problem = operation["responses"]["default"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/ProblemDocument"}, route
        assert operation.get("summary"), route
        assert operation.get("description"), route


def test_every_success_says_what_it_answers(app: FastAPI) -> None:
    for route, operation in described(app).items():
        for status, answer in operation["responses"].items():
            if status in {"200", "201"} and route[0] != "HEAD" and "Location" not in answer.get("headers", {}):
                schemas = [content.get("schema") for content in answer.get("content", {}).values()]
                assert schemas, route
                assert all(schemas), route
            if status in {"204", "304"}:
                assert "content" not in answer, route


def test_every_route_for_people_says_so(app: FastAPI) -> None:
    for route, operation in described(app).items():
        assert bool(operation.get("security")) is (route in TABLE), route


_ODD: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/v1/lessons/%00", {}),
    ("GET", "/api/v1/lessons/%ff%fe", {}),
    ("GET", "/media/{clip_id}/%00", {}),
    ("GET", "/media/{clip_id}/%ed%a0%80", {}),
    ("GET", "/api/v1/search", {"params": {"q": "\0"}}),
    ("GET", "/api/v1/search", {"params": {"q": "x", "limit": "9" * 400}}),
    ("GET", "/api/v1/lessons", {"params": {"before": "0001-01-01T00:00:00+23:59"}}),
    ("GET", "/api/v1/lessons", {"params": {"limit": "1e999"}}),
    ("GET", "/api/v1/recordings/%00", {}),
    ("GET", "/api/v1/submissions", {"params": {"state": "\0"}}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": '{"text": "\\u0000"}'}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": '{"text": "\\ud800"}'}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": '{"text": "x", "at_s": 1e999}'}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": '{"text": "x", "at_s": NaN}'}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": "[" * 100_000}),
    ("POST", "/api/v1/submissions/{submission_id}/comments", {"content": b"\xff\xfe"}),
    ("POST", "/api/v1/tokens", {"content": '{"email": "\\u0000@example.org"}'}),
    ("POST", "/api/v1/tokens", {"content": '{"email": "a@b.c", "days": ' + "9" * 5000 + "}"}),
    ("POST", "/api/v1/requests", {"content": '{"query": "\\u0000"}'}),
    ("POST", "/api/v1/glossary", {"content": '{"csv": "term\\n\\u0000"}'}),
    ("POST", "/api/v1/glossary", {"json": {"csv": "term\n" + "x" * 200_000}}),
    ("POST", "/api/v1/glossary", {"json": {"csv": 'term\n"' + "x\n" * 10}}),
]


async def test_odd_bytes_and_numbers_are_refused(world: World) -> None:
    known = await things(world)
    before = await world.rows()
    async with world.client("admin") as client:
        for method, path, sent in _ODD:
            reply = await client.request(method, re.sub(r"\{(\w+)\}", lambda name: known[name[1]], path), **sent)
            assert 400 <= reply.status_code < 500, (method, path, sent, reply.status_code, reply.text)
            assert reply.headers["content-type"] == "application/problem+json"
    assert await world.rows() == before


async def test_the_description_is_served(client: httpx.AsyncClient, app: FastAPI) -> None:
    assert (await client.get("/api/v1/openapi.json")).json() == app.openapi()
