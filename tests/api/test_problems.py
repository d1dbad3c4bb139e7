"""Errors leave as problem documents, whatever raised them, and none of them tells what is inside."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

from api import problems
from infra import errors
from infra.errors import LorecastError
from tests.fixtures.web import open_client

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LorecastError)]


class Body(BaseModel):
    name: str
    age: int


@pytest.fixture
def app() -> FastAPI:
    """A small app: what is tested here needs no services."""
    app = FastAPI()
    problems.install(app)

    @app.get("/raise/{number}")
    async def fail(number: int) -> None:
        raise KINDS[number]("What happened. What is safe. What to do.", code="test.code")

    @app.get("/crash")
    async def crash() -> None:
        raise ValueError("the password is hunter2")

    @app.get("/refuse")
    async def refuse() -> None:
        raise HTTPException(418, "teapot")

    @app.post("/body")
    async def body(body: Body, limit: Annotated[int, Query(ge=1)] = 1) -> None:
        raise AssertionError(body, limit)

    return app


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return open_client(app, raises=False)


def document(reply: httpx.Response) -> dict[str, Any]:
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    found: dict[str, Any] = reply.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "errors"}
    assert found["status"] == reply.status_code
    assert found["title"]
    return found


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
async def test_each_error_of_ours_keeps_its_status_code_and_sentence(client: httpx.AsyncClient, number: int) -> None:
    reply = await client.get(f"/raise/{number}")
    found = document(reply)
    assert reply.status_code == KINDS[number].status
    assert (found["code"], found["detail"]) == ("test.code", "What happened. What is safe. What to do.")


async def test_an_error_that_nobody_foresaw_tells_nothing(client: httpx.AsyncClient) -> None:
    reply = await client.get("/crash")
    assert (reply.status_code, document(reply)["code"]) == (500, "internal")
    assert "hunter2" not in reply.text
    assert "Traceback" not in reply.text
    assert "ValueError" not in reply.text


async def test_input_that_makes_no_sense_is_named_but_not_repeated(client: httpx.AsyncClient) -> None:
    reply = await client.post("/body?limit=0", json={"name": ["<script>"], "age": "old"})
    found = document(reply)
    assert (reply.status_code, found["code"]) == (422, "invalid_input")
    assert {error["where"] for error in found["errors"]} == {"query.limit", "body.name", "body.age"}
    assert "script" not in reply.text


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"name": "\\ud800"}', b"[" * 100_000, b'{"age": 1e999999}'],
)
async def test_a_broken_body_is_the_senders_fault(client: httpx.AsyncClient, content: bytes) -> None:
    reply = await client.post("/body", content=content, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status_code < 500
    document(reply)


async def test_errors_of_the_framework_look_the_same(client: httpx.AsyncClient) -> None:
    missing, method, refused = await client.get("/nowhere"), await client.delete("/crash"), await client.get("/refuse")
    assert (missing.status_code, document(missing)["code"]) == (404, "not_found")
    assert (method.status_code, document(method)["code"]) == (405, "method_not_allowed")
    assert method.headers["allow"] == "GET"
    assert (refused.status_code, document(refused)["code"]) == (418, "http_418")
    assert "teapot" not in document(refused)["detail"]


def test_the_api_description_names_this_shape_and_no_other(app: FastAPI) -> None:
    described = app.openapi()
    for path in described["paths"].values():
        for operation in path.values():
            shape = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert shape == {"$ref": "#/components/schemas/ProblemDocument"}
            assert "422" not in operation["responses"]
    assert "ProblemDocument" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]
