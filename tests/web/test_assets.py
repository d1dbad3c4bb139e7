"""The built files: what a page loads, how it is served, how heavy it is."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from infra.errors import Misconfigured
from web.assets import Assets, choose_coding

ORDINARY = ("styles/main.css", "components/main.ts")


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.load()


@pytest.fixture
def client(assets: Assets) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(assets), base_url="http://lorecast")


def path_of(assets: Assets, entry: str) -> str:
    return assets.url(entry).removeprefix("/static")


def script_bytes(assets: Assets, *entries: str) -> int:
    return sum(assets.size_bytes(file) for file in assets.files_of(*entries) if file.endswith(".js"))


def test_style_is_light_enough(assets: Assets) -> None:
    assert sum(assets.size_bytes(f) for f in assets.files_of("styles/main.css")) <= 20_000


@pytest.mark.parametrize(
    ("entry", "most_bytes"),
    [
        ("components/main.ts", 45_000),
        ("components/lesson.ts", 45_000),
        ("components/upload.ts", 45_000),
        ("components/review.ts", 80_000),
    ],
)
def test_scripts_are_light_enough(assets: Assets, entry: str, most_bytes: int) -> None:
    assert 0 < script_bytes(assets, "components/main.ts", entry) <= most_bytes


def test_every_page_loads_its_own_files_only(assets: Assets) -> None:
    tags = assets.tags(*ORDINARY)
    assert tags.count('<link rel="stylesheet"') == 1
    assert "player" not in "".join(assets.files_of(*ORDINARY))
    assert all(line.startswith(("<link", '<script type="module" src="/static/assets/')) for line in tags.split("\n"))


async def test_a_file_is_kept_forever_and_comes_packed(assets: Assets, client: httpx.AsyncClient) -> None:
    plain = await client.get(path_of(assets, "styles/main.css"), headers={"Accept-Encoding": "identity"})
    packed = await client.get(path_of(assets, "styles/main.css"), headers={"Accept-Encoding": "gzip"})
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3


@pytest.mark.parametrize(
    "path", ["/assets/nothing.js", "/../package.json", "/.vite/manifest.json", "/assets/%2e%2e/x", "/"]
)
async def test_nothing_but_built_files_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_files_cannot_be_written(assets: Assets, client: httpx.AsyncClient) -> None:
    path = path_of(assets, "icons.svg")
    before = (await client.get(path)).content
    refused = await client.put(path, content=b"x")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD"
    assert (await client.get(path)).content == before


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", ""),
        ("", ""),
        ("br;q=nonsense", ""),
    ],
)
def test_the_coding_is_one_that_the_browser_takes(accept: str, coding: str) -> None:
    assert choose_coding(accept, {"": b"x", "br": b"b", "gzip": gzip.compress(b"x")}) == coding


def test_pages_that_are_not_built_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="make web"):
        Assets.load(tmp_path)
