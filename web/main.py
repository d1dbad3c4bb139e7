"""A web process: the JSON door and the pages on one port."""

from __future__ import annotations

import asyncio

import structlog
import uvicorn

from api.dependencies import Services
from infra import settings as configuration
from infra.connections import connected
from infra.settings import LogSettings, PlatformSettings, UploadSettings, WebSettings
from infra.telemetry import configure_logs
from infra.tracing import configure_traces, flush_traces
from learn.embedding import Embedder
from web.app import create_web_app

log = structlog.get_logger()
# A request that hangs longer than this does not hold up a stop; uploads go on where they were.
_DRAIN_S = 8


async def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    web = configuration.load(WebSettings)
    telemetry = configuration.load(LogSettings)
    configure_logs(telemetry, process="web")
    configure_traces(telemetry, process="web")
    async with connected(configuration.load(PlatformSettings)) as connections:
        services = Services(
            database=connections.database,
            bell=connections.bell,
            storage=connections.storage,
            embedder=Embedder(),
            settings=web,
            uploads=configuration.load(UploadSettings),
        )
        server = uvicorn.Server(
            uvicorn.Config(
                create_web_app(services),
                host=web.host,
                port=web.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_S,
                timeout_keep_alive=30,
            )
        )
        log.info("web.ready", host=web.host, port=web.port)
        await server.serve()
        log.info("web.stopped")
    await asyncio.to_thread(flush_traces)
