"""What the browser side adds to the pages, in a real Chromium."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.browser


async def until(page: Page, expression: str) -> None:
    """Wait until an expression is true; Playwright's own wait uses eval, which the policy forbids."""
    async with asyncio.timeout(20):
        while not await page.evaluate(expression):
            await page.wait_for_timeout(50)


async def current_time(page: Page) -> float:
    """Return where the video stands, in seconds."""
    return float(await page.evaluate("document.querySelector('video').currentTime"))


async def test_results_come_while_one_types_and_the_arrows_walk_through_them(page: Page) -> None:
    await page.goto("/preview/home")
    await page.keyboard.press("/")
    await page.keyboard.type("open the bypass", delay=15)
    hits = page.locator(".search-panel a.moment")
    await expect(hits).to_have_count(3)
    await expect(page.locator("#status")).to_have_text("2 lessons answer")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(hits.nth(1)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".search-panel")).to_be_hidden()
    await expect(page.locator("#q")).to_be_focused()


async def test_an_older_search_never_replaces_a_newer_one(page: Page) -> None:
    await page.goto("/preview/search-start")
    await page.locator("#q").fill("slow moon")
    await page.wait_for_timeout(200)
    await page.locator("#q").fill("bypass")
    await expect(page.locator("#results a[data-hit]")).to_have_count(3)
    await page.wait_for_timeout(1100)
    await expect(page.locator("#results a[data-hit]")).to_have_count(3)
    assert page.url.endswith("/search?q=bypass")


async def test_a_hit_opens_the_lesson_at_its_moment_and_plays(page: Page) -> None:
    await page.goto("/preview/search")
    await page.locator("a[data-hit]").first.click()
    await until(page, "document.querySelector('video').currentTime > 21.9")
    marked = page.locator("[data-sentence][aria-current]")
    await expect(marked).to_have_text("Then open the bypass, slowly, and wait until the gauge stands still at two bar.")


async def test_a_click_on_a_sentence_goes_there_and_keys_move_on(page: Page) -> None:
    await page.goto("/preview/lesson")
    await until(page, "document.querySelector('video').readyState >= 1")
    await page.get_by_text("Now loosen the two screws").click()
    assert await current_time(page) >= 33.0
    await page.keyboard.press("k")
    before = await current_time(page)
    await page.keyboard.press("j")
    assert before - await current_time(page) == pytest.approx(10, abs=0.2)
    await page.keyboard.press("Control+ArrowRight")
    assert await current_time(page) == pytest.approx(32.4, abs=0.2)


async def test_keys_leave_fields_alone(page: Page) -> None:
    await page.goto("/preview/submission")
    await until(page, "document.querySelector('video').readyState >= 1")
    await page.locator("#comment").fill("")
    await page.locator("#comment").press_sequentially("kjl 5 A")
    assert await page.locator("#comment").input_value() == "kjl 5 A"
    assert await current_time(page) == 0
    assert page.url.endswith("/preview/submission")


async def test_rejection_needs_a_word(page: Page) -> None:
    await page.goto("/preview/submission")
    await page.keyboard.press("Shift+X")
    await expect(page.locator("#text")).to_be_focused()
    assert page.url.endswith("/preview/submission")
    await page.locator("#text").fill("The wrong pump is shown.")
    await page.get_by_role("button", name="Reject").click()
    await page.wait_for_url("**/preview/queue")


async def test_the_next_doubt_is_one_key_away(page: Page) -> None:
    await page.goto("/preview/submission")
    await until(page, "document.querySelector('video').readyState >= 1")
    await page.keyboard.press("n")
    await expect(page.locator("[data-doubt]").first).to_be_focused()
    await page.keyboard.press("n")
    await expect(page.locator("[data-doubt]").nth(1)).to_be_focused()


async def test_progress_moves_without_a_reload(page: Page) -> None:
    await page.goto("/preview/recording")
    await page.evaluate("window.here = document.querySelector('[data-stage=transcribe]')")
    await until(page, "document.querySelector('[data-stage=transcribe] progress').value >= 0.46")
    await expect(page.locator("[data-stage=transcribe] [data-percent]")).to_have_text(re.compile(r"4[6-9] %|[5-9]\d %"))
    assert await page.evaluate("window.here === document.querySelector('[data-stage=transcribe]')")
