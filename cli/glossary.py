"""`lorecast glossary`: terms of the company, so that they are written right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import InvalidInput

glossary = typer.Typer(help="Terms of the company, so that they are written right.", no_args_is_help=True)


@glossary.callback()
def _group() -> None:
    """Terms of the company, so that they are written right."""


@glossary.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: term,sounds_like")],
) -> None:
    """Add the terms of a CSV file through the running server."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 text. Nothing was imported.", code="glossary.encoding") from error
    asyncio.run(_import(text))


async def _import(text: str) -> None:
    from cli.client import connect  # noqa: PLC0415 - the other commands need not wait for it

    server = connect()
    try:
        taken = await server.ask("POST", "/api/v1/glossary", json={"csv": text})
    finally:
        await server.close()
    print(f"{taken['terms']} terms imported.")
