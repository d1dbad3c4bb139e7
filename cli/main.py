"""`lorecast`: every command, with one clear sentence on stderr when it fails.

Each command imports its own part, so that no command waits for what it does not use.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import glossary, people
from infra import settings as configuration
from infra.errors import LorecastError
from infra.settings import PlatformSettings, WebSettings
from infra.telemetry import log_warnings_only

app = typer.Typer(
    help="Lorecast captures what people at work know and makes it findable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(people.people, name="people")
app.add_typer(people.token, name="token")
app.add_typer(glossary.glossary, name="glossary")

Data = Annotated[Path | None, typer.Option(help="Folder for everything Lorecast keeps.", envvar="LORECAST_DATA")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def up(
    data: Data = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    from cli.up import up as run

    settings = configuration.load(PlatformSettings, data=data)
    run(settings, configuration.load(WebSettings, port=port), workers=workers)


@app.command()
def demo(
    data: Data = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Another recording.")] = None,
    query: Annotated[str | None, typer.Option(help="What to search for at the end.")] = None,
    as_json: AsJson = False,
) -> None:
    """Do the main job once: a recording becomes a lesson, and a search finds a sentence in it."""
    from cli.demo import demo as run

    settings = configuration.load(PlatformSettings, data=data)
    run(settings, file=file, query=query, as_json=as_json)


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Recordings to upload.")],
    title: Annotated[str | None, typer.Option(help="Title; default the file's name.")] = None,
    owner: Annotated[str | None, typer.Option(help="E-mail of the owner, if not you.")] = None,
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code; default: detect it.")] = None,
    approve_as: Annotated[str | None, typer.Option(help="E-mail of a second person who approves.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is in review, or published.")] = False,
    as_json: AsJson = False,
) -> None:
    """Upload recordings through the running server, like any client."""
    from cli.client import Order
    from cli.client import ingest as run

    wait = wait or approve_as is not None
    order = Order(title=title, owner=owner, language=language, approve_as=approve_as, wait=wait)
    asyncio.run(run(files, order, as_json=as_json))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: AsJson = False,
) -> None:
    """Ask the running server. Exit code 0 also when nothing is found; 1 when it cannot be asked."""
    from cli.client import search as run

    asyncio.run(run(query, limit=limit, as_json=as_json))


@app.command(name="doctor")
def doctor_command(data: Data = None, as_json: AsJson = False) -> None:
    """Say what is there, what is missing, and what to do."""
    from cli.doctor import report

    raise typer.Exit(report(configuration.load(PlatformSettings, data=data), as_json=as_json))


@app.command()
def serve() -> None:
    """Run one web process of a deployment."""
    from web.main import run

    asyncio.run(run())


@app.command()
def worker() -> None:
    """Run one worker of a deployment."""
    from workers.main import run

    asyncio.run(run())


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""

    from infra.connections import connected
    from infra.migrations import upgrade

    async def run() -> None:
        async with connected(configuration.load(PlatformSettings)) as connections:
            await upgrade(connections.database)

    asyncio.run(run())


def main() -> None:
    """Entry of the `lorecast` command."""
    log_warnings_only()
    try:
        app()
    except LorecastError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": {"code": error.code, "sentence": error.sentence}}))
        print(f"lorecast: {error.sentence}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("lorecast: stopped.", file=sys.stderr)
        sys.exit(130)
