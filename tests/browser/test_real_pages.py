"""The pages over the real services, as a person meets them: sign in, search, watch, upload."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Route, expect

from accounts import service as accounts
from accounts.models import Person, Role
from api.dependencies import Services
from capture import service as capture
from infra.database import Silence
from infra.settings import WebSettings
from learn.passages import passages, texts
from learn.service import index_lesson
from tests import builders
from tests.browser.conftest import Watch, watched
from tests.web import samples
from tests.web.preview import sample_video
from web.app import create_web_app

pytestmark = pytest.mark.browser
SAID = tuple((start, end, text) for _, start, end, text in samples.TALK)
CHAPTERS = [
    {"start_s": start, "end_s": end, "title": title, "confidence": 0.9}
    for start, end, title in zip(samples.STARTS, samples.STARTS[1:], samples.TITLES, strict=False)
]


@pytest.fixture
async def server(services: Services) -> AsyncIterator[Services]:
    """The whole web app on a free port of this machine, in the loop of the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    here = replace(services, settings=WebSettings(public_url=address))
    server = uvicorn.Server(uvicorn.Config(create_web_app(here), log_level="warning", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield here
    server.should_exit = True
    server.force_exit = True
    await serving


@pytest.fixture
async def visitor(chromium: Browser, server: Services, watch: Watch) -> AsyncIterator[Page]:
    """A watched browser that is nobody."""
    context = await chromium.new_context(base_url=server.settings.public_url, viewport={"width": 1280, "height": 800})
    await watched(context, watch)
    yield await context.new_page()
    await context.close()
    assert watch.faults == []


async def signed_in(page: Page, server: Services, role: Role) -> Person:
    """Make somebody and sign them in by their link."""
    async with server.database.work(Silence()) as work:
        person = await builders.a_person(work, role=role)
        secret = await accounts.make_sign_in_link(work, person=person, minutes=5)
    await page.goto(f"/sign-in/{secret}")
    await expect(page.locator("h1")).to_have_text("What do you need to know?")
    return person


async def a_lesson_that_plays(server: Services) -> str:
    """Publish a lesson whose video, words and passages are all there; return its slug."""
    video = await asyncio.to_thread(sample_video)
    async with server.database.work(Silence()) as work:
        clip = await builders.a_clip(work, duration_s=68.0, transcript=builders.a_transcript(SAID), chapters=CHAPTERS)
        size_bytes = video.stat().st_size
        file = await builders.a_clip_file(work, clip=clip, width=640, height=360, size_bytes=size_bytes)
        lesson = await builders.a_lesson(work, clip=clip, title="Change the filter on the coolant pump")
        said = [{"start_s": start, "end_s": end, "text": text} for start, end, text in SAID]
        drafts = passages(said, CHAPTERS, lesson_title=lesson.title)
        await index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=server.embedder.embed(texts(drafts)))
    await server.storage.put_file(file.key, video, media_type="video/mp4")
    return lesson.slug


async def test_a_learner_signs_in_searches_and_sees_the_video_at_the_moment(visitor: Page, server: Services) -> None:
    slug = await a_lesson_that_plays(server)
    await signed_in(visitor, server, Role.LEARNER)
    await visitor.locator("#q").press_sequentially("how do I open the bypass", delay=10)
    hit = visitor.locator(".search-panel a.moment", has_text="Then open the bypass")
    await hit.first.click()
    await visitor.wait_for_url(f"**/lessons/{slug}?t=*")
    async with asyncio.timeout(20):
        while await visitor.evaluate("document.querySelector('video').readyState") < 2:
            await visitor.wait_for_timeout(50)
    at_s = await visitor.evaluate("document.querySelector('video').currentTime")
    assert 20.5 <= at_s < 27
    await expect(visitor.locator("[data-sentence][aria-current]")).to_contain_text(re.compile("blue valve|bypass"))


async def test_a_question_without_an_answer_becomes_a_request(visitor: Page, server: Services) -> None:
    await a_lesson_that_plays(server)
    await signed_in(visitor, server, Role.LEARNER)
    await visitor.goto("/search?q=polish+the+moon")
    await visitor.get_by_role("button", name="Ask for this lesson").click()
    await expect(visitor.locator("#results")).to_contain_text("Your wish is noted")


async def test_an_upload_survives_a_cut_line_and_arrives_whole(
    visitor: Page, server: Services, watch: Watch, tmp_path: Path
) -> None:
    content = (await asyncio.to_thread(sample_video)).read_bytes()
    person = await signed_in(visitor, server, Role.EXPERT)
    cuts: list[str] = []

    async def cut_once(route: Route) -> None:
        if route.request.method == "PATCH" and not cuts:
            cuts.append(route.request.url)
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await visitor.route("**/api/v1/uploads/*", cut_once)
    await visitor.goto("/upload")
    chosen = tmp_path / "pump_filter.mp4"
    chosen.write_bytes(content)
    await visitor.locator("input[data-file]").nth(1).set_input_files(chosen)
    await visitor.get_by_role("button", name="Upload", exact=True).click()
    await visitor.wait_for_url("**/recordings/*")
    await expect(visitor.locator("h1")).to_have_text("pump filter")
    assert len(cuts) == 1
    async with server.database.work(Silence()) as work:
        (recording,) = await capture.list_recordings(work, person=person, limit=10)
    stored = await server.storage.get(recording.original_key)
    assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()
    watch.faults.remove(f"{server.settings.public_url}/upload: Failed to load resource: net::ERR_CONNECTION_RESET")


async def test_who_is_not_signed_in_is_shown_the_way_in(visitor: Page) -> None:
    await visitor.goto("/recordings")
    await expect(visitor.locator("h1")).to_have_text("Sign in to Lorecast")
