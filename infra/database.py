"""The database and the unit of work.

One unit of work is one transaction. It commits when the block ends without an error, before any reply leaves, and
only then rings the doorbell for the work it made necessary. Nobody else commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
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


class _Clock:
    """The platform's clock is PostgreSQL's: a process on a machine whose clock is wrong goes by it."""

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None

    def learn(self, now: datetime) -> None:
        """The database has just said what time it is."""
        self._known = now, _uptime_s()

    def now(self) -> datetime:
        """The time of this machine, unless it is off by more than what a round trip could explain."""
        here = datetime.now(UTC)
        if self._known is None:
            return here
        known, since_s = self._known
        there = known + timedelta(seconds=_uptime_s() - since_s)
        return here if abs(here - there) < _CLOCK_TOLERANCE else there


def _uptime_s() -> float:
    """Seconds that nobody can set, sleep of the machine included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_CLOCK_TOLERANCE = timedelta(seconds=2)
_clock = _Clock()


def utc_now() -> datetime:
    """Now, in UTC, by the clock of the database once there has been a connection."""
    return _clock.now()


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
            pool_recycle=_LONGEST_CONNECTION_S,
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
# A new connection learns the time anew.
_LONGEST_CONNECTION_S = 900
# Connection lost, resources used up, shutting down or starting up (PostgreSQL, appendix A).
_AWAY = ("08", "53", "57P")
# A NUL in a text, a number out of range, half a character (PostgreSQL, appendix A; 22000 is asyncpg's own refusal).
_BAD_VALUES = frozenset({"22000", "22003", "22021", "22P05"})


async def _connect(*where: object, **options: object) -> asyncpg.Connection[asyncpg.Record]:
    """Connect, or raise Unavailable for whatever lies between here and a server that takes connections."""
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*where, **options)  # type: ignore[call-overload]
        _clock.learn(await connection.fetchval("SELECT clock_timestamp()"))
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
