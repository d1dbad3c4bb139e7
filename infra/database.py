"""The database and the unit of work.

One unit of work is one transaction. It commits when the block ends without an error, before any reply leaves, and
only then rings the doorbell for the work it made necessary. Nobody else commits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import asyncpg
import sqlalchemy.orm
import sqlmodel
from sqlalchemy import DateTime, Dialect, Text, TypeDecorator, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as PlainAsyncSession
from sqlmodel.ext.asyncio.session import AsyncSession

from infra.errors import InvalidInput, Unavailable

# Every time in the database is UTC with its zone.
UtcDateTime = DateTime(timezone=True)


class EnumText(TypeDecorator[StrEnum]):
    """A string enum kept as text: readable in the database, an enum member in Python."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Text, after checking that it is a member."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        """The member."""
        return None if value is None else self.kind(value)


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class Bell(Protocol):
    """Wakes workers. Losing a ring costs seconds, never work."""

    async def ring(self) -> None:
        """Wake an idle worker; never raises."""


class Silence:
    """A bell for those who need none: workers look at the ledger by themselves."""

    async def ring(self) -> None:
        """Do nothing."""


class _SyncSession(sqlmodel.Session):
    execute = sqlalchemy.orm.Session.execute


class _Session(AsyncSession):
    """SQLModel's session, without its warning on `execute`, which we mean where rows are not models."""

    sync_session_class = _SyncSession
    execute = PlainAsyncSession.execute


class Work:
    """A unit of work: its session, and whether workers have something new to do afterwards."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.has_new_stages = False


class Database:
    """A pool of connections to PostgreSQL."""

    def __init__(self, url: str, *, pool_size: int = 8, statement_limit_s: float | None = 60.0) -> None:
        """`statement_limit_s`: a statement without an answer for so long counts as a database that is away."""
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_pre_ping=True,
            pool_timeout=10,
            hide_parameters=True,  # what people wrote does not belong into logs
            connect_args={
                "async_creator_fn": _connect,
                "timeout": 5,
                "command_timeout": statement_limit_s,
                "server_settings": {"application_name": "lorecast", "jit": "off"},
            },
        )
        self.sessions = async_sessionmaker(self.engine, class_=_Session, expire_on_commit=False)

    @asynccontextmanager
    async def work(self, bell: Bell) -> AsyncIterator[Work]:
        """One transaction. When it raises, nothing is changed.

        Unavailable: the database does not answer. InvalidInput: a value that no column can hold.
        """
        try:
            async with self.sessions.begin() as session:
                work = Work(session)
                yield work
        except (OperationalError, InterfaceError, PoolExhausted, ConnectionError, TimeoutError) as error:
            raise _unavailable() from error
        except DBAPIError as error:
            state = str(getattr(error.orig, "sqlstate", ""))
            if error.connection_invalidated or state.startswith(_AWAY):
                raise _unavailable() from error
            if state in _BAD_VALUES:
                raise _bad_value() from error
            raise
        if work.has_new_stages:
            await bell.ring()

    async def ping(self) -> None:
        """Raise Unavailable unless the database takes a write."""
        async with self.work(Silence()) as work:
            await work.session.execute(text("CREATE TEMPORARY TABLE IF NOT EXISTS lorecast_ping () ON COMMIT DROP"))

    async def close(self) -> None:
        """Close every connection; one whose other end does not answer is left to the operating system."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await self.engine.dispose()


_CLOSE_LIMIT_S = 3.0
# Connection lost, resources used up, shutting down or starting up (PostgreSQL, appendix A).
_AWAY = ("08", "53", "57P")
# A NUL in a text, a number out of range, half a character (PostgreSQL, appendix A; 22000 is asyncpg's own refusal).
_BAD_VALUES = frozenset({"22000", "22003", "22021", "22P05"})


async def _connect(*where: object, **options: object) -> asyncpg.Connection[asyncpg.Record]:
    """Connect, or raise Unavailable for whatever lies between here and a server that takes connections."""
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*where, **options)  # type: ignore[call-overload]
    except OSError as error:  # refused, no route, no such name, no answer in time
        raise _unavailable() from error
    except asyncpg.PostgresError as error:
        if str(error.sqlstate).startswith(_AWAY):
            raise _unavailable() from error
        raise
    return connection


def _bad_value() -> InvalidInput:
    return InvalidInput(
        "A value in this request cannot be stored: a number is too large, or a text has broken characters."
    )


def _unavailable() -> Unavailable:
    return Unavailable(
        "The database does not answer. Nothing was changed. Please try again in a moment.",
        code="unavailable.database",
    )
