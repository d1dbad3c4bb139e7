"""Opens what every process needs: the database, the storage and the doorbell, from the platform's addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infra.database import Database
from infra.errors import Misconfigured
from infra.queue import Doorbell
from infra.settings import PlatformSettings
from infra.storage import Storage


@dataclass(frozen=True)
class Connections:
    """The ground a process stands on."""

    database: Database
    storage: Storage
    bell: Doorbell
    valkey_url: str


@asynccontextmanager
async def connected(settings: PlatformSettings) -> AsyncIterator[Connections]:
    """Connections to the platform named by the settings. Raises Misconfigured when an address is missing."""
    if settings.database_url is None or settings.valkey_url is None or settings.s3_url is None:
        raise Misconfigured(
            "LORECAST_DATABASE_URL, LORECAST_VALKEY_URL and LORECAST_S3_URL must be set for a single part."
            " `lorecast up` starts all parts on one machine.",
            code="misconfigured.addresses",
        )
    database = Database(settings.database_url)
    storage = Storage(
        url=settings.s3_url,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        bucket=settings.s3_bucket,
        region=settings.s3_region,
    )
    bell = Doorbell(settings.valkey_url)
    try:
        yield Connections(database, storage, bell, settings.valkey_url)
    finally:
        await bell.close()
        await database.close()
