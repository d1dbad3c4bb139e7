"""Workers on several hosts. Each host is a network namespace with a cable that can be pulled."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from infra.database import Database
from infra.embedded import Endpoints
from tests.fixtures.faults import fault_proxy
from tests.fixtures.workers import Add, StartWorker, runs, until_running, until_state

pytestmark = pytest.mark.timeout(300)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Host:
    """A host of its own: what is started there reaches the platform through one cable."""

    name: str
    settings: dict[str, str]

    @property
    def here(self) -> tuple[str, ...]:
        """The words before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def pull_cable(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _ip("link", "set", f"{self.name}c", "down")

    def plug_cable(self) -> None:
        """Everything passes again."""
        _ip("link", "set", f"{self.name}c", "up")


@pytest_asyncio.fixture
async def hosts(endpoints: Endpoints, database_url: str) -> AsyncIterator[list[Host]]:
    """Two hosts beside this one."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("hosts are made of network namespaces, which takes root and iproute2")
    async with AsyncExitStack() as stack:
        yield [await _host(stack, number, endpoints, database_url) for number in (1, 2)]


async def _host(stack: AsyncExitStack, number: int, endpoints: Endpoints, database_url: str) -> Host:
    # 198.18.0.0/15 is kept for tests between networks (RFC 2544).
    name, network = f"lc{os.getpid() % 100000}{number}", f"198.18.{os.getpid() % 250}.{4 * number}"
    ours, theirs = (f"{network.rpartition('.')[0]}.{4 * number + end}" for end in (1, 2))
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespaces: {error.stderr.decode().strip()}")
    stack.callback(_ip, "netns", "delete", name)
    _ip("link", "add", f"{name}c", "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("address", "add", f"{ours}/30", "dev", f"{name}c")
    _ip("link", "set", f"{name}c", "up")
    for setting in (["link", "set", "lo", "up"], ["address", "add", f"{theirs}/30", "dev", "eth0"]):
        _ip("-netns", name, *setting)
    _ip("-netns", name, "link", "set", "eth0", "up")
    services = {
        "LORECAST_DATABASE_URL": database_url,
        "LORECAST_VALKEY_URL": endpoints.valkey_url,
        "LORECAST_S3_URL": endpoints.s3_url,
    }
    reached = {
        setting: (await stack.enter_async_context(fault_proxy(url, listen_on=ours))).in_front_of(url)
        for setting, url in services.items()
    }
    return Host(name, reached)


async def test_a_host_that_loses_its_network_in_mid_encode_is_replaced_and_comes_back(
    hosts: list[Host],
    database: Database,
    a_worker: StartWorker,
    uploaded: Add,
    busier_clip: Path,
    quick_clip: Path,
) -> None:
    workers = [await a_worker(*host.here, **host.settings).ready() for host in hosts]
    recording_id = await uploaded(busier_clip)
    before = await until_running(database, recording_id, "renditions", progress=0.02)
    assert before.lease_owner is not None
    first = next(number for number in (0, 1) if f":{workers[number].pid}:" in before.lease_owner)
    host, lonely, other = hosts[first], workers[first], workers[1 - first]
    encoders = [member for member in lonely.family() if member.name().startswith("ffmpeg")]
    assert encoders, "an encode was running"

    host.pull_cable()
    await asyncio.to_thread(psutil.wait_procs, encoders, timeout=60)
    assert not [encoder for encoder in encoders if encoder.is_running()], "it ended its encode by itself"
    await until_state(database, recording_id, "ready")
    again = (await runs(database, recording_id))["renditions"]
    assert again.fence > before.fence
    assert "stage.done" in other.text()
    assert await asyncio.to_thread(other.stop) == 0

    host.plug_cable()
    next_id = await uploaded(quick_clip)
    await until_state(database, next_id, "ready")
    assert lonely.process.poll() is None, "the same process went on"
    host.pull_cable()
    lonely.signal(signal.SIGTERM)
    assert await asyncio.to_thread(lonely.process.wait, 30) == 0, "it can be stopped while it is cut off"
