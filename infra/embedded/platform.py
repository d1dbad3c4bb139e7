"""Everything Lorecast needs from a machine, out of wheels: PostgreSQL, Valkey and SeaweedFS under one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from infra.embedded import folder as data_folder
from infra.embedded import postgres, seaweedfs, valkey
from infra.embedded.folder import Folder
from infra.embedded.server import Server
from infra.embedded.watch import Kept, Watch
from infra.errors import Unavailable
from infra.settings import PlatformSettings

_PORTS = ("postgres", "valkey", *seaweedfs.PORTS)


@dataclass(frozen=True)
class Endpoints:
    """Where the platform answers, with what it takes to be let in."""

    database_url: str
    valkey_url: str
    s3_url: str
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str


@contextmanager
def running_platform(data: Path, *, given: PlatformSettings) -> Iterator[Endpoints]:
    """Run the servers whose address is not `given`, in the folder `data`, until the block ends.

    Starts them side by side and yields when all answer; a second start over the same folder finds everything again.
    A server that ends by itself is started again; all end with this process, however it ends. Raises Misconfigured (the
    folder is in use, something is not installed) and Unavailable (a server does not start; with the end of its log),
    leaving nothing behind.
    """
    if given.database_url and given.valkey_url and given.s3_url:
        yield _given(given)
        return
    with data_folder.opened(data) as folder, ExitStack() as running:
        yield _started(folder, given, running)


def _started(folder: Folder, given: PlatformSettings, running: ExitStack) -> Endpoints:
    """Start everything; once more with new ports when somebody was faster to take one of ours."""
    for is_last in (False, False, True):
        own, starts = _own(folder, given)
        try:
            servers = _start_all(folder, starts, running)
        except Unavailable:
            running.close()
            if is_last or not folder.has_lost_a_port(_PORTS):
                raise
        else:
            watch = Watch(folder, servers)
            watch.start()
            running.callback(watch.stop)
            return own
    raise AssertionError("the last round returns or raises")


def _start_all(folder: Folder, starts: list[Callable[[], Server]], running: ExitStack) -> list[Kept]:
    """Start side by side; whatever was started is stopped with `running`, the last of `starts` first.

    When one fails, or somebody presses Ctrl-C, the others give up.
    """
    folder.given_up.clear()
    futures: list[Future[Server]] = []
    kept: list[Kept] = []
    try:
        with ThreadPoolExecutor(max_workers=len(starts)) as pool:
            try:
                futures.extend(pool.submit(start) for start in starts)
                first = wait(futures, return_when=FIRST_EXCEPTION).done
            finally:
                folder.given_up.set()
                wait(futures)
    finally:
        for start, future in zip(starts, futures, strict=False):
            if future.done() and future.exception() is None:
                kept.append(Kept(future.result(), start))
                running.callback(kept[-1].stop)
    for future in [*first, *futures]:
        future.result()
    return kept


def _given(given: PlatformSettings) -> Endpoints:
    return Endpoints(
        database_url=given.database_url or "",
        valkey_url=given.valkey_url or "",
        s3_url=given.s3_url or "",
        s3_access_key=given.s3_access_key,
        s3_secret_key=given.s3_secret_key.get_secret_value(),
        s3_bucket=given.s3_bucket,
    )


def _own(folder: Folder, given: PlatformSettings) -> tuple[Endpoints, list[Callable[[], Server]]]:
    """The addresses with those that are not given filled in, and what is to be started for them."""
    ports, secrets = folder.ports(_PORTS), folder.secrets
    result = _given(given)
    starts: list[Callable[[], Server]] = []
    if not result.valkey_url:
        url = f"redis://:{secrets.valkey}@127.0.0.1:{ports['valkey']}/0"
        result = replace(result, valkey_url=url)
        starts.append(lambda: valkey.start(folder, ports["valkey"]))
    if not result.s3_url:
        result = replace(
            result,
            s3_url=f"http://127.0.0.1:{ports['seaweedfs-s3']}",
            s3_access_key=secrets.s3_access_key,
            s3_secret_key=secrets.s3_secret_key,
        )
        starts.append(lambda: seaweedfs.start(folder, ports, bucket=given.s3_bucket))
    if not result.database_url:
        name, port = postgres.DATABASE, ports["postgres"]
        url = f"postgresql+asyncpg://{name}:{secrets.postgres}@127.0.0.1:{port}/{name}"
        result = replace(result, database_url=url)
        starts.append(lambda: postgres.start(folder, port))
    return result, starts
