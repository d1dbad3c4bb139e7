"""`lorecast people` and `lorecast token`: accounts, straight in the database.

The database is the one of LORECAST_DATABASE_URL; without that, the one in the data folder: of the `lorecast up` that
runs there, or else started for the moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from accounts import service
from accounts.models import Person, Role
from infra import migrations
from infra import settings as configuration
from infra.database import Database, Silence, Work
from infra.embedded import database_in_use, running_platform
from infra.errors import Misconfigured, NotFound
from infra.settings import ClientSettings, PlatformSettings, WebSettings

people = typer.Typer(help="Who may use Lorecast.", no_args_is_help=True)
token = typer.Typer(help="Tokens of API clients.", no_args_is_help=True)

Result = TypeVar("Result")
Email = Annotated[str, typer.Argument(help="E-mail address of the person.")]
Data = Annotated[Path | None, typer.Option(help="Folder for everything Lorecast keeps.", envvar="LORECAST_DATA")]


@people.command()
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="Name that others see.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.LEARNER,
    data: Data = None,
) -> None:
    """Add somebody."""
    person = _do(data, lambda work: service.add_person(work, email=email, name=name, role=role))
    print(f"Added {person.name} <{person.email}> as {person.role}.")


@people.command("list")
def list_people(data: Data = None) -> None:
    """List everybody."""
    for person in _do(data, service.list_people):
        state = f"disabled {person.disabled_at:%Y-%m-%d}" if person.disabled_at else str(person.role)
        print(f"{person.email:<32} {state:<20} {person.name}")


@people.command()
def link(email: Email, data: Data = None) -> None:
    """Print a link that signs somebody in, once."""
    web = configuration.load(WebSettings)

    async def make(work: Work) -> str:
        person = await _get(work, email)
        return await service.make_sign_in_link(work, person=person, minutes=web.sign_in_link_min)

    print(f"{_address(web)}/sign-in/{_do(data, make)}")


@people.command()
def disable(email: Email, data: Data = None) -> None:
    """Shut somebody out at once: sessions, tokens and links end."""

    async def shut_out(work: Work) -> Person:
        return await service.disable_person(work, await _get(work, email))

    person = _do(data, shut_out)
    print(f"Disabled {person.name} <{person.email}>.")


@token.command()
def create(
    email: Email,
    days: Annotated[int, typer.Option(min=1, max=service.LONGEST_TOKEN_DAYS, help="Days it works.")] = 90,
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    data: Data = None,
) -> None:
    """Print a new bearer token, and nothing else."""

    async def make(work: Work) -> str:
        return await service.create_token(work, person=await _get(work, email), days=days, name=name)

    print(_do(data, make))


@token.callback()
def _tokens() -> None:
    """Tokens of API clients."""


async def _get(work: Work, email: str) -> Person:
    person = await service.find_person(work, email)
    if person is None:
        raise NotFound(f"There is no person with the address {email}. Nothing was changed.", code="person.not_found")
    return person


def _address(web: WebSettings) -> str:
    """Where people reach the server: what is set, or where `lorecast up` listens."""
    client = configuration.load(ClientSettings)
    if web.public_url is None and "url" in client.model_fields_set:
        return client.url
    return web.public_url or f"http://{web.host}:{web.port}"


def _do(data: Path | None, verb: Callable[[Work], Awaitable[Result]]) -> Result:
    """One verb in one unit of work, on the database that is given, runs already, or is started for the moment."""
    platform = configuration.load(PlatformSettings, data=data)
    url = platform.database_url or database_in_use(platform.data)
    if url is not None:
        return asyncio.run(_run(url, verb, may_migrate=False))
    # Of the platform the database alone is needed.
    other = {"valkey_url": "redis://not-needed", "s3_url": "http://not-needed"}
    with running_platform(platform.data, given=platform.model_copy(update=other)) as own:
        return asyncio.run(_run(own.database_url, verb, may_migrate=True))


async def _run(url: str, verb: Callable[[Work], Awaitable[Result]], *, may_migrate: bool) -> Result:
    database = Database(url, pool_size=1)
    try:
        if may_migrate:
            await migrations.upgrade(database)
        elif not await _is_current(database):
            raise Misconfigured(
                "The database has another schema than this version. Nothing was changed. Run `lorecast migrate` first.",
                code="misconfigured.schema",
            )
        async with database.work(Silence()) as work:
            return await verb(work)
    finally:
        await database.close()


async def _is_current(database: Database) -> bool:
    await database.ping()  # an address where nothing answers gets its own sentence
    return await migrations.is_current(database)
