"""`lorecast ingest` and `lorecast search`: clients of a running server, like any other."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote_plus

import aiotus
import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from infra import settings as configuration
from infra.errors import LorecastError, Misconfigured, Unavailable
from infra.settings import ClientSettings

_POLL_S = 0.25
_TYPES = {".mkv": "video/x-matroska", ".mov": "video/quicktime", ".m4v": "video/x-m4v", ".webm": "video/webm"}
Json = dict[str, Any]


class Refused(LorecastError):
    """The server said no; its sentence is passed on."""

    default_code = "refused"


@dataclass(frozen=True)
class Order:
    """What to do with uploaded files."""

    title: str | None = None
    owner: str | None = None
    language: str | None = None
    approve_as: str | None = None
    wait: bool = False


class Server:
    """A running server, seen by one person's token."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url
        self.headers = headers
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=30)

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, **sent: Any) -> Any:  # noqa: ANN401 - JSON
        """One request. Raises Refused with the server's sentence, Unavailable when there is no server."""
        try:
            reply = await self._http.request(method, path, **sent)
        except httpx.TransportError as error:
            raise Unavailable(
                f"There is no Lorecast at {self.url}. Nothing was changed. Start it with `lorecast up`, or set"
                " LORECAST_URL.",
                code="client.no_server",
            ) from error
        if reply.is_error:
            raise _refusal(reply)
        return reply.json() if reply.content else None

    async def as_person(self, email: str) -> Server:
        """The same server seen by somebody else; only administrators may do this."""
        made = await self.ask("POST", "/api/v1/tokens", json={"email": email, "days": 1, "name": "lorecast ingest"})
        return Server(self.url, made["token"])

    async def upload(self, file: Path, order: Order, on_progress: Callable[[int, int], None]) -> str:
        """Upload a file by tus and return the id of its recording."""
        media_type = _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or ""
        said = {"filename": file.name, "filetype": media_type, "title": order.title or _title(file)}
        if order.language:
            said["language"] = order.language
        await self._check_that_it_may(file, said)
        return await _upload(self, file, said, on_progress)

    async def _check_that_it_may(self, file: Path, said: Mapping[str, str]) -> None:
        """The tus client does not pass on why a server refuses, so ask for the reason first."""
        await self.ask("GET", "/api/v1/me")
        if not said["filetype"].startswith(("video/", "audio/")):
            raise Refused(f"{file.name} is not a recording: it must be MP4, MOV, WebM or MKV. Nothing was uploaded.")


async def _upload(server: Server, file: Path, said: Mapping[str, str], on_progress: Callable[[int, int], None]) -> str:
    metadata = {key: value.encode() for key, value in said.items()}
    size_bytes = file.stat().st_size
    on_progress(0, size_bytes)
    with file.open("rb") as stream:
        location = await aiotus.upload(
            f"{server.url}/api/v1/uploads", stream, metadata, headers=server.headers, chunksize=4 * 1024**2
        )
    if location is None:
        raise Refused(f"{file.name} could not be uploaded. Nothing was published. Try again.", code="client.upload")
    on_progress(size_bytes, size_bytes)
    async with httpx.AsyncClient(headers={**server.headers, "Tus-Resumable": "1.0.0"}, timeout=30) as http:
        return (await http.head(str(location))).headers["Lorecast-Recording"]


def _title(file: Path) -> str:
    return file.stem.replace("_", " ").replace("-", " ").strip().capitalize()


def _refusal(reply: httpx.Response) -> Refused:
    try:
        problem = reply.json()
        return Refused(problem.get("detail") or problem["title"], code=problem["code"])
    except (ValueError, KeyError, AttributeError):
        return Refused(f"The server answered {reply.status_code}. Nothing was changed.")


class Display:
    """Live progress on stderr, so that stdout stays what was asked for."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>4.0f} %"),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False),
            disable=quiet,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, name: str, done: float) -> None:
        """Show one line; `done` is 0..1."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=1.0)
        self._progress.update(self._tasks[name], completed=done)

    def show_stages(self, recording: Json) -> None:
        """Show every stage of a recording."""
        for stage in recording["stages"]:
            self.show(stage["name"], 1.0 if stage["state"] == "done" else stage["progress"])


async def wait_for(server: Server, recording_id: str, until: str, display: Display) -> Json:
    """Wait until a stage of the recording is done, showing all of them. Raises Refused when the recording failed."""
    while True:
        recording: Json = await server.ask("GET", f"/api/v1/recordings/{recording_id}")
        display.show_stages(recording)
        if recording["state"] == "failed":
            failure = recording["failure"] or {}
            raise Refused(failure.get("sentence", "The recording failed."), code=failure.get("code", "failed"))
        if any(stage["name"] == until and stage["state"] == "done" for stage in recording["stages"]):
            return recording
        await asyncio.sleep(_POLL_S)


async def approve(server: Server, recording: Json) -> None:
    """Approve exactly what the submission shows now."""
    submission = await server.ask("GET", f"/api/v1/submissions/{recording['submission_id']}")
    verdict = {"decision": "approve", "digest": submission["digest"]}
    await server.ask("POST", f"/api/v1/submissions/{submission['id']}/verdict", json=verdict)


def connect() -> Server:
    """The server that LORECAST_URL and LORECAST_TOKEN name. Raises Misconfigured without a token."""
    settings = configuration.load(ClientSettings)
    if settings.token is None:
        raise Misconfigured(
            "LORECAST_TOKEN is not set. Nothing was sent. Make a token with `lorecast token create EMAIL`.",
            code="client.no_token",
        )
    return Server(settings.url, settings.token.get_secret_value())


async def ingest(files: list[Path], order: Order, *, as_json: bool) -> None:
    """Upload files one after another; with `wait`, until each is in review or published."""
    server = connect()
    try:
        owner = await server.as_person(order.owner) if order.owner else server
        reviewer = await server.as_person(order.approve_as) if order.approve_as else None
        for file in files:
            result = await ingest_one(
                file, order, owner=owner, reviewer=reviewer, quiet=as_json or not sys.stderr.isatty()
            )
            reached = "published" if reviewer else "in review" if order.wait else result["state"]
            print(json.dumps(result) if as_json else f"{file.name}: {reached}  {owner.url}{result['page']}")
    finally:
        await server.close()


async def ingest_one(file: Path, order: Order, *, owner: Server, reviewer: Server | None, quiet: bool) -> Json:
    """Upload one file and follow it as far as the order says; returns its recording and the `page` people see."""
    with Display(quiet=quiet) as display:
        recording_id = await owner.upload(file, order, lambda sent, size: display.show("upload", sent / max(size, 1)))
        recording: Json = await owner.ask("GET", f"/api/v1/recordings/{recording_id}")
        if order.wait:
            recording = await wait_for(owner, recording_id, "submit", display)
        if reviewer is not None:
            await approve(reviewer, recording)
            recording = await wait_for(owner, recording_id, "index", display)
            if order.wait:
                recording = await wait_for(owner, recording_id, "renditions", display)
    return {**recording, "page": f"/recordings/{recording_id}"}


async def search(query: str, *, limit: int, as_json: bool) -> None:
    """Print what the running server finds."""
    server = connect()
    try:
        answer = await server.ask("GET", "/api/v1/search", params={"q": query, "limit": limit})
    finally:
        await server.close()
    if as_json:
        print(json.dumps(answer))
    else:
        print_answer(answer, server.url)


def print_answer(answer: Json, url: str) -> None:
    """Hits as a person reads them: lesson, chapter, second, sentence, link."""
    console = Console(highlight=False, soft_wrap=True)
    if not answer["answered"]:
        asked = quote_plus(answer["query"])
        console.print(f"No lesson answers “{answer['query']}”. Ask for it: {url}/search?q={asked}", markup=False)
        return
    for hit in answer["hits"]:
        minutes, seconds = divmod(int(hit["start_s"]), 60)
        console.print(
            f"{hit['lesson']['title']} › {hit['chapter_title']}  at {minutes}:{seconds:02}", markup=False, style="bold"
        )
        console.print(f"  “{hit['text']}”", markup=False)
        link = hit["url"] if hit["url"].startswith("http") else url + hit["url"]
        console.print(f"  {link}", markup=False, style="cyan")
