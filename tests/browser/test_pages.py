"""Every page in every state: nothing runs that should not, nothing overflows, everybody can use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import Watch, watched
from tests.web import samples
from web.assets import DIST

pytestmark = pytest.mark.browser
AXE = Path(DIST).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NAMES = sorted(samples.pages())
MAIN = ["sign-in-used", "home", "search", "search-none", "lesson", "recordings", "recording", "upload", "queue"]
MAIN += ["submission", "work", "people-link"]


@pytest.mark.parametrize(
    ("scheme", "width", "names"),
    [
        ("light", 1280, MAIN),
        ("dark", 390, MAIN),
        pytest.param("light", 390, NAMES, marks=pytest.mark.hard),
        pytest.param("dark", 1280, NAMES, marks=pytest.mark.hard),
    ],
)
async def test_no_page_breaks_the_policy_overflows_or_shuts_anybody_out(
    chromium: Browser,
    preview_url: str,
    watch: Watch,
    scheme: Literal["light", "dark"],
    width: int,
    names: list[str],
) -> None:
    context = await chromium.new_context(
        base_url=preview_url,
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 800},
    )
    await watched(context, watch)
    page = await context.new_page()
    for name in names:
        await page.goto(f"/preview/{name}", wait_until="domcontentloaded")
        await page.evaluate(AXE.read_text())
        found: dict[str, Any] = await page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
        )
        watch.faults += [
            f"{name}: {fault['id']}: {node['html'][:160]}" for fault in found["violations"] for node in fault["nodes"]
        ]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            watch.faults.append(f"{name}: wider than {width} px")
    await context.close()
    assert watch.faults == []


async def test_pages_fit_the_narrowest_phone(page: Page) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    wide = []
    for name in NAMES:
        await page.goto(f"/preview/{name}", wait_until="domcontentloaded")
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
    assert wide == []


async def test_nothing_that_people_wrote_is_executed_on_any_page(page: Page) -> None:
    executed = []
    for name in NAMES:
        await page.goto(f"/hostile/{name}", wait_until="domcontentloaded")
        if await page.evaluate("window.executed !== undefined"):
            executed.append(name)
    assert executed == []
    await page.goto("/hostile/lesson")
    assert await page.locator("h1").inner_text() == samples.SCRIPT


async def test_captions_are_text(page: Page) -> None:
    await page.goto("/preview/lesson")
    await page.evaluate("document.querySelector('video').textTracks[0].mode = 'showing'")
    await page.evaluate("document.querySelector('video').play().catch(() => 0)")
    await page.wait_for_timeout(800)
    assert await page.evaluate("document.querySelector('video').textTracks[0].activeCues.length") >= 1
    assert await page.evaluate("window.executed === undefined")


async def test_what_a_search_brings_while_one_types_is_text(page: Page) -> None:
    await page.route("**/search?q=*", lambda route: route.continue_(url=page.url.replace("/preview/", "/hostile/")))
    await page.goto("/preview/search")
    await page.locator("#q").fill("pump")
    await page.locator("#results", has_text="<script>").wait_for()
    assert await page.evaluate("window.executed === undefined")


async def test_the_colour_choice_stays_over_pages(page: Page) -> None:
    await page.goto("/preview/home")
    await page.locator("details.person > summary").click()
    await page.get_by_role("button", name="Dark").click()
    await page.goto("/preview/recordings")
    assert await page.locator("html").get_attribute("data-theme") == "dark"
    assert await page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


async def test_search_and_lesson_work_without_script(chromium: Browser, preview_url: str) -> None:
    context = await chromium.new_context(base_url=preview_url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/preview/lesson")
    assert await page.locator("video[controls]").count() == 1
    await page.locator("#site-q").fill("open the bypass")
    await page.locator("#site-q").press("Enter")
    await page.locator("a[data-hit]").first.click()
    assert "t=21.9" in page.url
    source = await page.locator("video source").last.get_attribute("src")
    assert source == "/media/sample/720p.mp4#t=21.9"
    await context.close()
