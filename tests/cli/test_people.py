"""`lorecast people` and `lorecast token`, run as people run them."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts import service
from accounts.models import Role
from cli.main import main
from infra.database import Database, Silence
from infra.embedded import database_in_use, running_platform
from infra.settings import PlatformSettings
from tests.builders import a_person


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def _run(arguments: tuple[str, ...], settings: dict[str, str]) -> Run:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in settings.items():
            patch.setenv(f"LORECAST_{name.upper()}", value)
        patch.setattr(sys, "argv", ["lorecast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return Run(int(ended.value.code or 0), out.getvalue(), err.getvalue())


async def lorecast(*arguments: str, **settings: str) -> Run:
    """Run the command with these LORECAST_ settings and no others, in this process: starting one takes a second."""
    return await asyncio.to_thread(_run, arguments, settings)


async def everybody(database: Database) -> list[tuple[str, Role, bool]]:
    async with database.work(Silence()) as work:
        return [(person.email, person.role, person.disabled_at is None) for person in await service.list_people(work)]


def assert_one_sentence(run: Run, sentence: str) -> None:
    assert run.returncode == 1
    assert run.stdout == ""
    assert sentence in run.stderr
    assert run.stderr.startswith("lorecast: ")
    assert run.stderr.count("\n") == 1


async def test_somebody_is_added_listed_signed_in_and_disabled(database: Database, database_url: str) -> None:
    added = await lorecast(
        "people", "add", "Ada@Example.org", "--name", "Ada", "--role", "reviewer", database_url=database_url
    )
    assert (added.returncode, added.stdout) == (0, "Added Ada <ada@example.org> as reviewer.\n")
    assert await everybody(database) == [("ada@example.org", Role.REVIEWER, True)]

    listed = await lorecast("people", "list", database_url=database_url)
    assert listed.stdout.split() == ["ada@example.org", "reviewer", "Ada"]

    link = await lorecast(
        "people", "link", "ada@example.org", database_url=database_url, public_url="https://learn.example.org"
    )
    address, _, secret = link.stdout.strip().rpartition("/")
    assert address == "https://learn.example.org/sign-in"
    async with database.work(Silence()) as work:
        person, session = await service.sign_in(work, secret=secret, days=1)
        assert person.email == "ada@example.org"

    disabled = await lorecast("people", "disable", "ada@example.org", database_url=database_url)
    assert disabled.returncode == 0
    assert await everybody(database) == [("ada@example.org", Role.REVIEWER, False)]
    async with database.work(Silence()) as work:
        assert await service.person_of_session(work, session, idle_days=1) is None


async def test_a_token_stands_alone_on_standard_output_and_works(database: Database, database_url: str) -> None:
    async with database.work(Silence()) as work:
        ada = await a_person(work)
    made = await lorecast("token", "create", ada.email, "--days", "2", database_url=database_url)
    assert made.returncode == 0
    async with database.work(Silence()) as work:
        assert await service.person_of_token(work, made.stdout.removesuffix("\n")) == ada


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("people", "add", "ADA@example.org", "--name", "Eve"), "already a person"),
        (("people", "disable", "ada@example.org"), "last administrator"),
        (("token", "create", "eve@example.org"), "no person with the address"),
    ],
)
async def test_what_is_not_possible_is_one_sentence_and_changes_nothing(
    database: Database, database_url: str, arguments: tuple[str, ...], sentence: str
) -> None:
    async with database.work(Silence()) as work:
        await a_person(work, role=Role.ADMIN, email="ada@example.org")
    assert_one_sentence(await lorecast(*arguments, database_url=database_url), sentence)
    assert await everybody(database) == [("ada@example.org", Role.ADMIN, True)]


async def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    nowhere = "postgresql+asyncpg://lorecast@127.0.0.1:9/lorecast"
    assert_one_sentence(await lorecast("people", "list", database_url=nowhere), "does not answer")


async def test_without_a_running_platform_the_database_of_the_folder_is_started_for_the_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "cli", "people", "add", "ada@example.org", "--name", "Ada", "--data", str(data)]
    added = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=120, check=False)
    assert (added.returncode, added.stderr) == (0, b"")
    assert database_in_use(data) is None
    with running_platform(data, given=PlatformSettings(valkey_url="redis://x", s3_url="http://x")):
        assert database_in_use(data) is not None
        listed = await lorecast("people", "list", data=str(data))
        assert (listed.stderr, listed.stdout.split()[0]) == ("", "ada@example.org")
    assert database_in_use(data) is None
