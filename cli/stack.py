"""Everything on one machine: the embedded platform, the web process and the workers, which live and die together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.database import Database
from infra.embedded import Endpoints, running_platform
from infra.errors import Misconfigured, Unavailable
from infra.migrations import upgrade
from infra.processes import spawn, stop
from infra.settings import PlatformSettings, WebSettings

_READY_S = 60.0
# A part that ends this soon after its start will not do better next time.
_TOO_SOON_S = 10.0
_STOP_S = 15.0


@dataclass
class Part:
    """One process of ours: the web process or a worker."""

    name: str
    command: str
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)
    started_at: float = field(init=False)

    def start(self) -> None:
        """Start it; it cannot outlive this process."""
        self.started_at = time.monotonic()
        argv = [sys.executable, "-m", "cli", self.command]
        self.process = spawn(argv, env=self.environment, log=self.log)

    def last_words(self) -> str:
        """The sentence with which it ended, as far as its log has one."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        said = [line.removeprefix("lorecast: ") for line in lines[-50:] if line.startswith("lorecast: ")]
        return said[-1] if said else f"See {self.log}."


@dataclass
class Stack:
    """What runs, and where it answers."""

    url: str
    database: Database
    parts: list[Part]
    logs: Path

    def check(self) -> None:
        """Start a worker again that has ended; raise Unavailable for what does not come up."""
        for part in self.parts:
            code = part.process.poll()
            if code is None:
                continue
            if part.name == "web" or time.monotonic() - part.started_at < _TOO_SOON_S:
                raise Unavailable(f"The {part.name} process ended by itself. {part.last_words()}", code="up.part_ended")
            part.start()


@contextmanager
def running_stack(platform: PlatformSettings, web: WebSettings, *, workers: int) -> Iterator[Stack]:
    """Start everything, wait until it answers, and stop all of it when the block ends.

    Raises Misconfigured (port taken, folder in use, sandbox missing) and Unavailable, leaving nothing behind.
    """
    port = _free_port(web.host, web.port)
    url = web.public_url or f"http://{web.host}:{port}"
    with running_platform(platform.data, given=platform) as endpoints, ExitStack() as running:
        environment = _environment(platform, web, endpoints, port=port, url=url)
        _migrate(endpoints.database_url)
        logs = platform.data.absolute() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        names = ["web", *(f"worker-{number}" for number in range(1, workers + 1))]
        parts = [Part(name, _command(name), environment, logs / f"{name}.log") for name in names]
        for part in parts:
            part.start()
        running.callback(_stop_all, parts)
        stack = Stack(url, Database(endpoints.database_url, pool_size=2), parts, logs)
        _wait_until_ready(stack, f"http://{web.host}:{port}")
        yield stack


def _command(name: str) -> str:
    return "serve" if name == "web" else "worker"


def _environment(
    platform: PlatformSettings, web: WebSettings, endpoints: Endpoints, *, port: int, url: str
) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "LORECAST_DATA": str(platform.data.absolute()),
        "LORECAST_DATABASE_URL": endpoints.database_url,
        "LORECAST_VALKEY_URL": endpoints.valkey_url,
        "LORECAST_S3_URL": endpoints.s3_url,
        "LORECAST_S3_ACCESS_KEY": endpoints.s3_access_key,
        "LORECAST_S3_SECRET_KEY": endpoints.s3_secret_key,
        "LORECAST_S3_BUCKET": endpoints.s3_bucket,
        "LORECAST_HOST": web.host,
        "LORECAST_PORT": str(port),
        "LORECAST_PUBLIC_URL": url,
    }


def _free_port(host: str, port: int) -> int:
    """This port, or any free one for 0. Raises Misconfigured when it is taken."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on {host}:{port}: {error.strerror}. Nothing was started. Choose another port with --port.",
            code="misconfigured.port",
        ) from error


def _migrate(database_url: str) -> None:
    async def run() -> None:
        database = Database(database_url, pool_size=1)
        try:
            await upgrade(database)
        finally:
            await database.close()

    asyncio.run(run())


def _wait_until_ready(stack: Stack, address: str) -> None:
    until = time.monotonic() + _READY_S
    with httpx.Client(timeout=5) as client:
        while time.monotonic() < until:
            stack.check()
            try:
                if client.get(f"{address}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise Unavailable(f"The web process does not answer within {_READY_S:.0f} seconds. See {stack.logs}.")


def _stop_all(parts: list[Part]) -> None:
    for part in parts:
        if part.process.poll() is None:
            part.process.send_signal(signal.SIGTERM)
    for part in parts:
        stop(part.process, grace_s=_STOP_S)
