"""A person signs in by link, searches, and sees the lesson play at the moment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from cli.client import Order, ingest_one
from tests.browser.conftest import Watch, watched
from tests.fixtures.running import Running

SAMPLE = Path(__file__).parents[2] / "samples" / "share-calendar.webm"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


async def test_a_learner_signs_in_searches_and_sees_the_moment(
    running: Running, chromium: Browser, watch: Watch
) -> None:
    owner, reviewer = await running.as_client(running.expert), await running.as_client(running.reviewer)
    lesson = await ingest_one(
        SAMPLE, Order(title="Share your calendar", wait=True), owner=owner, reviewer=reviewer, quiet=True
    )
    said = (await owner.ask("GET", f"/api/v1/clips/{lesson['clip']['id']}/transcript"))["segments"]
    sentence = said[len(said) // 2]
    for server in (owner, reviewer):
        await server.close()

    context = await watched(await chromium.new_context(viewport={"width": 390, "height": 844}), watch)
    page = await context.new_page()
    link = await running.sign_in_link(running.expert)
    await page.goto(link)
    await expect(page).to_have_url(f"{running.url}/")
    await page.get_by_role("searchbox").first.fill(sentence["text"])
    await page.keyboard.press("Enter")
    await page.locator("main a[href*='?t=']").first.click()
    await expect(page).to_have_url(re.compile(r"/lessons/share-your-calendar\?t="))
    await _shows_the_moment(page, sentence["start_s"])
    await context.close()
    assert watch.faults == []

    used = await (await chromium.new_context()).new_page()
    await used.goto(link)
    await expect(used.get_by_text("used already")).to_be_visible()
    assert not [cookie for cookie in await used.context.cookies() if "lorecast" in cookie["name"]]
    await used.context.close()


async def _shows_the_moment(page: Page, start_s: float) -> None:
    """The video has its picture, and stands at most two seconds before the sentence (or plays on from there)."""
    await page.wait_for_function("() => { const v = document.querySelector('video'); return v && v.readyState >= 2; }")
    shown_s = await page.evaluate("() => document.querySelector('video').currentTime")
    assert start_s - 2.5 <= shown_s <= start_s + 15
    assert await page.evaluate("() => document.querySelector('video').videoWidth") > 0
