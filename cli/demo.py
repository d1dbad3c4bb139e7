"""`lorecast demo`: the main job once, with everything embedded, from a recording to a search hit."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from accounts import service as accounts
from accounts.models import Person, Role
from cli.client import Order, Refused, Server, ingest_one, print_answer
from cli.stack import Stack, running_stack
from infra import settings as configuration
from infra.database import Silence, Work
from infra.errors import InvalidInput, Misconfigured
from infra.settings import PlatformSettings, WebSettings

SAMPLES = Path(__file__).parents[1] / "samples"
_SAMPLE = SAMPLES / "expense-report.mp4"
_EXPERT = ("erin@example.org", "Erin Expert", Role.EXPERT)
_REVIEWER = ("rui@example.org", "Rui Reviewer", Role.REVIEWER)


@dataclass(frozen=True)
class _Script:
    """What the demo does: upload `file` under `title`, then search for `query`."""

    file: Path
    title: str | None
    query: str


def demo(platform: PlatformSettings, *, file: Path | None, query: str | None, as_json: bool) -> None:
    """Run the main job and print the hit. Raises when any step fails or the search finds nothing."""
    script = _script(file or _SAMPLE, query)
    say = Console(stderr=True, highlight=False, soft_wrap=True)
    began = time.monotonic()
    say.print("Starting PostgreSQL, Valkey, SeaweedFS, the web process and a worker …")
    with running_stack(platform, _web(), workers=1) as stack:
        say.print(f"Ready after {time.monotonic() - began:.1f} s at {stack.url}. Uploading {script.file.name} …")
        told = asyncio.run(_tell(stack, script, say, quiet=as_json))
        if as_json:
            print(json.dumps(told))
        say.print("\nStopping … `make up` serves this lesson; the link works then.")


def _script(file: Path, query: str | None) -> _Script:
    """A sample comes with its truth: a title, and a question it answers. Other files are asked for their own words."""
    truth_file = file.with_suffix(".truth.json")
    truth: dict[str, Any] = json.loads(truth_file.read_text()) if truth_file.exists() else {}
    if not file.exists():
        raise InvalidInput(f"There is no file {file}. Nothing was started.", code="demo.no_file")
    wanted = query or (truth["search"][0]["query"] if truth.get("search") else "")
    return _Script(file, truth.get("title"), wanted)


def _web() -> WebSettings:
    """The usual port if it is free, so that the printed link works with `lorecast up` too; otherwise any."""
    web = configuration.load(WebSettings)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError:
            return configuration.load(WebSettings, port=0)
    return web


async def _tell(stack: Stack, script: _Script, say: Console, *, quiet: bool) -> dict[str, Any]:
    async with stack.database.work(Silence()) as work:
        expert = Server(stack.url, await _token(work, *_EXPERT))
        reviewer = Server(stack.url, await _token(work, *_REVIEWER))
    await stack.database.close()
    began = time.monotonic()
    try:
        order = Order(title=script.title, wait=True)
        recording = await ingest_one(script.file, order, owner=expert, reviewer=reviewer, quiet=quiet)
        took_s = time.monotonic() - began
        say.print(f"Uploaded, processed, approved by {_REVIEWER[1]} and published in {took_s:.1f} s.\n")
        query = script.query or await _first_words(expert, recording)
        say.print(f"Searching for “{query}”:")
        answer = await expert.ask("GET", "/api/v1/search", params={"q": query, "limit": 1})
    finally:
        await expert.close()
        await reviewer.close()
    if not quiet:
        sys.stderr.flush()
        print_answer(answer, stack.url)
    if not answer["answered"]:
        raise Refused("The search found nothing in the lesson. The lesson is there.", code="demo.nothing_found")
    return {"url": stack.url, "recording": recording, "answer": answer, "seconds": round(took_s, 2)}


async def _token(work: Work, email: str, name: str, role: Role) -> str:
    person: Person | None = await accounts.find_person(work, email)
    if person is None:
        person = await accounts.add_person(work, email=email, name=name, role=role)
    return await accounts.create_token(work, person=person, days=1, name="lorecast demo")


async def _first_words(server: Server, recording: dict[str, Any]) -> str:
    """Something that is said in the middle of the clip, as a query."""
    transcript = await server.ask("GET", f"/api/v1/clips/{recording['clip']['id']}/transcript")
    segments = transcript["segments"]
    if not segments:
        raise Misconfigured("Nothing is said in this recording, so there is nothing to search for.", code="demo.silent")
    return " ".join(segments[len(segments) // 2]["text"].split()[:8])
