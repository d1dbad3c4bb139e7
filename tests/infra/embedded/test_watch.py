"""A server of the platform that dies is started again, with its data."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from infra.embedded import Endpoints, running_platform
from infra.settings import PlatformSettings

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def platform(endpoints: Endpoints, tmp_path: Path) -> Iterator[Endpoints]:
    """PostgreSQL and Valkey of this test alone."""
    with running_platform(tmp_path / "data", given=PlatformSettings(s3_url=endpoints.s3_url)) as running:
        yield running


def _servers(name: str, data: Path) -> list[psutil.Process]:
    """The processes of a server of the platform in this folder, its keeper left out."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # PostgreSQL starts short-lived ones
            if name in one.name() and str(data) in f"{one.cwd()} {one.cmdline()}":
                found.append(one)
    return found


async def test_a_server_that_is_killed_comes_back_with_its_data(platform: Endpoints, tmp_path: Path) -> None:
    url = platform.database_url.replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    await connection.close()
    for name in ("postgres", "valkey"):
        servers = _servers(name, tmp_path)
        assert servers, name
        servers[0].send_signal(signal.SIGKILL)
        psutil.wait_procs(servers[:1], timeout=10)
    until = time.monotonic() + 60
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5)
            assert Redis.from_url(platform.valkey_url).ping()
            break
        except (OSError, asyncpg.PostgresError, RedisError):
            assert time.monotonic() < until, "it did not come back"
            await asyncio.sleep(0.2)
    assert await connection.fetchval("SELECT number FROM kept") == 7
    await connection.close()
    assert not any(psutil.pid_exists(server.pid) for server in servers)
