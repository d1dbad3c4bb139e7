"""The doorbell: arq on Valkey wakes a worker at once. It carries no work: the ledger in PostgreSQL does.

arq drops jobs in several ways (a failed job is final, a payload older than a day expires, a repeated id is refused
while its result is kept), so a ring holds nothing that could be lost, keeps no result and is never retried.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from arq import Worker, create_pool, func
from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError

QUEUE = "lorecast:doorbell"
_RING_TIMEOUT_S = 0.5
_QUIET_AFTER_FAILURE_S = 5.0
log = structlog.get_logger()


def _dumps(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=str).encode()


def _loads(raw: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(raw)
    return loaded


def _settings(url: str) -> RedisSettings:
    settings = RedisSettings.from_dsn(url)
    settings.conn_timeout = 1
    settings.conn_retries = 0
    return settings


class Doorbell:
    """Rings for an idle worker. Valkey down is no reason to fail: workers look at the ledger every few seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: ArqRedis | None = None
        self._quiet_until = 0.0

    async def ring(self) -> None:
        """Wake a worker; never raises, and never costs a request more than half a second."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                if self._pool is None:
                    self._pool = await create_pool(_settings(self._url), job_serializer=_dumps, job_deserializer=_loads)
                await self._pool.enqueue_job("knock", _queue_name=QUEUE, _expires=60)
        except (RedisError, OSError, TimeoutError) as error:
            self._quiet_until = time.monotonic() + _QUIET_AFTER_FAILURE_S
            log.warning("doorbell.unreachable", error=type(error).__name__)

    async def answers(self) -> bool:
        """Whether Valkey answers."""
        self._quiet_until = 0.0
        await self.ring()
        return self._quiet_until == 0.0

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.aclose()


async def listen(url: str, on_ring: Callable[[], Awaitable[None]]) -> None:
    """Call `on_ring` for each ring until cancelled; when Valkey is away, try again every few seconds."""

    async def knock(_: dict[str, Any]) -> None:
        await on_ring()

    while True:
        worker = Worker(
            functions=[func(knock, name="knock", keep_result=0, max_tries=1)],  # type: ignore[arg-type]
            redis_settings=_settings(url),
            queue_name=QUEUE,
            handle_signals=False,
            poll_delay=0.1,
            keep_result=0,
            max_tries=1,
            health_check_interval=3600,
            job_serializer=_dumps,
            job_deserializer=_loads,
        )
        try:
            await worker.async_run()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("doorbell.away", error=type(error).__name__)
        finally:
            await worker.close()
        await asyncio.sleep(2)
