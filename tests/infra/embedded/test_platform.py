"""The platform out of wheels, on the real servers."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import boto3
import psutil
import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import AuthenticationError

from infra.embedded import Endpoints, running_platform
from infra.errors import Misconfigured, Unavailable
from infra.settings import PlatformSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHILD = Path(__file__).with_name("platform_child.py")
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# To read the interpreter, which may lie in somebody's home; it gives no power to write.
MAY_READ = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the platform that the tests of this file share."""
    return tmp_path_factory.mktemp("own") / "data"


@pytest.fixture(scope="module")
def platform(data: Path) -> Iterator[Endpoints]:
    """A running platform that the tests of this file share."""
    with running_platform(data, given=PlatformSettings()) as running:
        yield running


def all_but_valkey(platform: Endpoints) -> PlatformSettings:
    """Settings under which Valkey alone is started: the quickest server."""
    return PlatformSettings(database_url=platform.database_url, s3_url=platform.s3_url)


def all_but_postgres(platform: Endpoints) -> PlatformSettings:
    """Settings under which PostgreSQL alone is started."""
    return PlatformSettings(valkey_url=platform.valkey_url, s3_url=platform.s3_url)


async def connect(
    endpoints: Endpoints, *, password: str | None = None, database: str | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    url = endpoints.database_url.replace("+asyncpg", "")
    return await asyncpg.connect(url, password=password, database=database)


async def write(endpoints: Endpoints, text: str) -> None:
    """A row and an object that hold `text`."""
    connection = await connect(endpoints)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
    await connection.execute("INSERT INTO kept VALUES ($1)", text)
    await connection.close()
    client(endpoints).put_object(Bucket=endpoints.s3_bucket, Key="kept", Body=text.encode())


async def read(endpoints: Endpoints) -> tuple[list[str], str]:
    """The rows and the object."""
    connection = await connect(endpoints)
    rows = [row["text"] for row in await connection.fetch("SELECT text FROM kept")]
    await connection.close()
    body = client(endpoints).get_object(Bucket=endpoints.s3_bucket, Key="kept")["Body"].read()
    return rows, body.decode()


def client(endpoints: Endpoints, *, secret_key: str | None = None) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        aws_access_key_id=endpoints.s3_access_key,
        aws_secret_access_key=secret_key or endpoints.s3_secret_key,
        region_name="us-east-1",
    )


def is_answering(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def start_child(data: Path, *before: str) -> tuple[subprocess.Popen[bytes], Endpoints]:
    """The platform in a process of its own, once it is ready."""
    command = [*before, sys.executable, str(CHILD), str(data)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, "the platform did not start"
    return child, Endpoints(**json.loads(line))


def finish(child: subprocess.Popen[bytes]) -> int:
    """End the child the friendly way; its exit code."""
    child.communicate(timeout=40)
    return child.returncode


def still_running(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Those that have not ended after so many seconds; a zombie has ended."""
    until = time.monotonic() + within_s
    while left := [process for process in processes if is_alive(process)]:
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return left


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_the_database_speaks_unicode_and_finds_by_word_likeness_and_meaning(platform: Endpoints) -> None:
    connection = await connect(platform)
    found = await connection.fetch("SELECT extname FROM pg_extension")
    assert {"vector", "pg_trgm", "unaccent"} <= {row["extname"] for row in found}
    assert await connection.fetchval("SELECT lower('ÄÉΩ')") == "äéω"
    assert await connection.fetchval("SELECT 'Öl' < 'öl'") is True
    assert await connection.fetchval("SELECT similarity('valve', 'valves') > 0.5") is True
    assert await connection.fetchval("SELECT '[1,2,3]'::vector <-> '[1,2,4]'::vector") == 1.0
    assert await connection.fetchval("SELECT to_tsvector('german', 'Über die Ölwanne')::text") == "'olwann':3"
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()


async def test_a_database_made_later_has_the_extensions_too(platform: Endpoints) -> None:
    connection = await connect(platform)
    await connection.execute("CREATE DATABASE later")
    later = await connect(platform, database="later")
    assert await later.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 1
    await later.close()
    await connection.execute("DROP DATABASE later")
    await connection.close()


async def test_the_role_of_lorecast_is_no_superuser(platform: Endpoints) -> None:
    connection = await connect(platform)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("COPY (SELECT 1) TO PROGRAM 'cat'")
    await connection.close()


async def test_nobody_gets_in_without_the_secret(platform: Endpoints) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(platform, password="wrong")
    with pytest.raises(AuthenticationError):
        Redis(port=urlsplit(platform.valkey_url).port or 0, password="wrong").ping()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(platform, secret_key="wrong").list_objects_v2(Bucket=platform.s3_bucket)


def test_the_servers_listen_on_this_machine_alone(platform: Endpoints, data: Path) -> None:
    listening = {
        connection.laddr
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    ports = json.loads((data / "ports.json").read_text()).values()
    assert {address for address in listening if address.port in ports} == {("127.0.0.1", port) for port in ports}


def test_folder_and_secrets_are_the_owners_alone(platform: Endpoints, data: Path) -> None:
    assert data.stat().st_mode & 0o777 == 0o700
    private = [data / name for name in ("secrets.json", "ports.json", "seaweedfs/identities.json")]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    secrets = json.loads((data / "secrets.json").read_text())
    below = [process for process in psutil.Process().children(recursive=True) if is_alive(process)]
    told = " ".join(word for process in below for word in process.cmdline())
    assert not [name for name, secret in secrets.items() if secret in told]


def test_postgres_has_no_right_to_write_elsewhere(platform: Endpoints, data: Path) -> None:
    pid = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["Uid"].split()[1] != "0"
    assert int(status["CapEff"], 16) in {0, 1 << 2}  # CAP_DAC_READ_SEARCH


async def test_a_folder_in_use_is_refused_by_name_of_the_process(platform: Endpoints, data: Path) -> None:
    await write(platform, "first")
    with (
        pytest.raises(Misconfigured, match=f"is in use by the process {os.getpid()}"),
        running_platform(data, given=PlatformSettings()),
    ):
        pytest.fail("it must not start")
    assert (await read(platform))[1] == "first"
    assert (data / "lock").read_text().strip() == str(os.getpid())


def test_what_is_given_is_not_started(platform: Endpoints, tmp_path: Path) -> None:
    given = PlatformSettings(
        database_url=platform.database_url,
        valkey_url=platform.valkey_url,
        s3_url=platform.s3_url,
        s3_access_key="key",
        s3_secret_key=SecretStr("secret"),
    )
    before = len(psutil.Process().children())
    with running_platform(tmp_path / "data", given=given) as endpoints:
        assert len(psutil.Process().children()) == before
        assert (endpoints.database_url, endpoints.s3_secret_key) == (platform.database_url, "secret")
    assert not (tmp_path / "data").exists()


def test_what_is_not_given_is_started(platform: Endpoints, tmp_path: Path) -> None:
    with running_platform(tmp_path, given=all_but_valkey(platform)) as endpoints:
        assert endpoints.database_url == platform.database_url
        assert endpoints.valkey_url != platform.valkey_url
        assert Redis.from_url(endpoints.valkey_url).ping()
    assert not is_answering(endpoints.valkey_url)
    assert not (tmp_path / "postgres").exists()


def test_ports_are_kept_and_chosen_anew_when_taken(platform: Endpoints, tmp_path: Path) -> None:
    urls = []
    for _ in range(2):
        with running_platform(tmp_path, given=all_but_valkey(platform)) as endpoints:
            urls.append(endpoints.valkey_url)
    assert urls[0] == urls[1]
    with (
        socket.create_server(("127.0.0.1", urlsplit(urls[0]).port or 0)),
        running_platform(tmp_path, given=all_but_valkey(platform)) as endpoints,
    ):
        assert endpoints.valkey_url != urls[0]
        assert Redis.from_url(endpoints.valkey_url).ping()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(platform: Endpoints, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(mode=0o700)
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    if os.geteuid() == 0:
        shutil.chown(tmp_path / "postgres", "lorecast")
    before = set(psutil.Process().children())  # the keepers: what is below one never outlives it
    said = r"PostgreSQL ended at once .*data is safe.*postgresql\.log"
    with (
        pytest.raises(Unavailable, match=said) as caught,
        running_platform(tmp_path, given=all_but_postgres(platform)),
    ):
        pytest.fail("it must not start")
    assert "postgresql.conf" in caught.value.sentence
    assert set(psutil.Process().children()) <= before


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Misconfigured, match="cannot be used"),
        running_platform(tmp_path / "file", given=PlatformSettings()),
    ):
        pytest.fail("it must not start")


async def test_two_platforms_run_side_by_side_and_data_outlives_stopping_and_killing(
    platform: Endpoints, tmp_path: Path
) -> None:
    """One story, because each start costs seconds: start, stop, start, SIGKILL, start."""
    await write(platform, "shared")
    child, endpoints = start_child(tmp_path)
    await write(endpoints, "one")
    below = psutil.Process(child.pid).children(recursive=True)
    assert finish(child) == 0
    assert still_running(below, 1) == []

    child, endpoints = start_child(tmp_path)
    assert await read(endpoints) == (["one"], "one")
    await write(endpoints, "two")
    below = psutil.Process(child.pid).children(recursive=True)
    assert len(below) >= 9  # a keeper and a server each, and the workers of PostgreSQL
    child.kill()
    child.communicate()
    # At once: it waits until the servers of the killed one have ended.
    child, endpoints = start_child(tmp_path)
    assert still_running(below, 0) == []
    assert await read(endpoints) == (["one", "two"], "two")
    assert finish(child) == 0
    assert "shared" in (await read(platform))[0]


def test_interrupting_the_start_leaves_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, str(CHILD), str(tmp_path)], stderr=subprocess.DEVNULL)
    seen: set[psutil.Process] = set()
    until = time.monotonic() + 20
    while len(seen) < 4 and time.monotonic() < until:
        seen |= set(psutil.Process(child.pid).children(recursive=True))
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) != 0
    assert still_running(list(seen), 10) == []


async def test_the_pid_of_a_killed_server_that_is_somebody_elses_now_is_no_obstacle(
    platform: Endpoints, tmp_path: Path
) -> None:
    given = all_but_postgres(platform)
    with running_platform(tmp_path, given=given) as endpoints:
        connection = await connect(endpoints)
        await connection.execute("CREATE TABLE kept (text text)")
        await connection.close()
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}/postgres\n1\n5432\n\n\n")
    with running_platform(tmp_path, given=given) as endpoints:
        connection = await connect(endpoints)
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_normal_user_runs_it_in_a_private_home() -> None:
    home = Path(tempfile.mkdtemp(prefix="lorecast-home-"))  # pytest's own folders are closed to other users
    try:
        shutil.chown(home, 65534, 65534)
        child, endpoints = start_child(home / "data", *AS_NOBODY, *MAY_READ)
        await write(endpoints, "mine")
        below = psutil.Process(child.pid).children(recursive=True)
        assert {process.uids().effective for process in below} == {65534}
        assert pwd.getpwuid((home / "data" / "postgres").stat().st_uid).pw_name == "nobody"
        assert await read(endpoints) == (["mine"], "mine")
        assert finish(child) == 0
        assert still_running(below, 1) == []
    finally:
        shutil.rmtree(home)
