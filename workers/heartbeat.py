"""Renews leases from a thread of its own, so a blocked event loop loses none.

A stage whose lease is lost, or could not be renewed for as long as a lease lasts, is told to stop: somebody else may
be doing it by now.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from uuid import UUID

import structlog

from infra import ledger
from infra.database import Database, Silence
from infra.errors import LorecastError

Key = tuple[UUID, int]
log = structlog.get_logger()
# Progress is stored this often, so that pages show it move; leases are renewed less often.
_TICK_S = 1.0
_STEP = 0.01
_LAST_S = 2.0


class Heartbeat(threading.Thread):
    """Keeps the leases of running stages alive and stores their progress."""

    def __init__(self, database_url: str, *, lease_s: float, every_s: float, on_lost: Callable[[Key], None]) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._url = database_url
        self._lease_s = lease_s
        self._every_s = every_s
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._progress: dict[Key, float] = {}
        self._stored: dict[Key, float] = {}
        self._renewed_at: dict[Key, float] = {}
        self._stopping = threading.Event()

    def watch(self, key: Key) -> None:
        """Start to renew this (stage run id, fence)."""
        with self._lock:
            self._progress[key] = self._stored[key] = 0.0
            self._renewed_at[key] = time.monotonic()

    def report(self, key: Key, done: float) -> None:
        """Remember progress (0..1); it never goes back."""
        with self._lock:
            if key in self._progress:
                self._progress[key] = max(self._progress[key], min(done, 0.999))

    def forget(self, key: Key) -> None:
        """Stop to renew this one."""
        with self._lock:
            for known in (self._progress, self._stored, self._renewed_at):
                known.pop(key, None)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Body of the thread: an event loop with a connection of its own."""
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        database = Database(self._url, pool_size=1)
        renewal: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set():
                # A renewal that hangs in the network must not keep us from seeing that a lease has run out.
                if (renewal is None or renewal.done()) and (due := self._due()):
                    renewal = asyncio.create_task(self._renew(database, due))
                self._give_up_on_expired()
                await asyncio.to_thread(self._stopping.wait, min(_TICK_S, self._every_s))
        finally:
            if renewal is not None:
                await asyncio.wait([renewal], timeout=_LAST_S)
                renewal.cancel()
                await asyncio.gather(renewal, return_exceptions=True)
            await database.close()

    def _due(self) -> dict[Key, float]:
        now = time.monotonic()
        with self._lock:
            return {
                key: done
                for key, done in self._progress.items()
                if now - self._renewed_at[key] >= self._every_s or done - self._stored[key] >= _STEP
            }

    async def _renew(self, database: Database, due: dict[Key, float]) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._every_s + 5), database.work(Silence()) as work:
                ours = await ledger.renew(work, due, lease_s=self._lease_s)
        except (LorecastError, OSError) as error:
            log.warning("heartbeat.unreachable", error=type(error).__name__)
            return
        except Exception:
            log.exception("heartbeat.unexpected")
            return
        with self._lock:
            for key in ours & self._progress.keys():
                self._renewed_at[key], self._stored[key] = began, due[key]
            lost = (due.keys() - ours) & self._progress.keys()
        for key in lost:
            self._lose(key)

    def _give_up_on_expired(self) -> None:
        now = time.monotonic()
        with self._lock:
            expired = [key for key, renewed in self._renewed_at.items() if now - renewed > self._lease_s]
        for key in expired:
            self._lose(key)

    def _lose(self, key: Key) -> None:
        self.forget(key)
        self._on_lost(key)
