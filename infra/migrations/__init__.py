"""Schema history (Alembic) and the one way to apply it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from infra.database import Database

_HERE = Path(__file__).parent
# Any number, the same for everybody: only one process migrates at a time.
_LOCK = 4_600_001


def config() -> Config:
    """Alembic's configuration for this folder."""
    settings = Config()
    settings.set_main_option("script_location", str(_HERE))
    return settings


async def upgrade(database: Database) -> None:
    """Bring the schema to the newest revision. Safe to call from several processes at once."""

    def run(connection: Connection) -> None:
        connection.exec_driver_sql("SET lock_timeout = '5s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")

    # Building an index over years of lessons takes longer than any statement of a request or a worker may.
    patient = Database(database.url, pool_size=1, statement_limit_s=None)
    try:
        async with patient.engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await patient.close()


async def is_current(database: Database) -> bool:
    """Whether the schema is the one this code was written for."""

    def revision(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with database.engine.connect() as connection:
        found = await connection.run_sync(revision)
    return found == ScriptDirectory.from_config(config()).get_current_head()
