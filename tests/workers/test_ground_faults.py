"""Never lost, never stuck: the ground under a worker gives way. S3, PostgreSQL and the disk misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlmodel import select

from accounts.models import Role
from capture.models import Clip, ClipFile
from capture.service import cancel_processing, rerun_failed_stages
from infra.database import Database, Silence
from infra.embedded import Endpoints
from infra.ledger import StageState
from infra.processes import spawn, stop
from infra.storage import Storage
from tests.builders import a_person
from tests.fixtures.disk import Disk
from tests.fixtures.faults import Fault, FaultProxy, fault_proxy
from tests.fixtures.workers import (
    Add,
    StartWorker,
    WorkerProcess,
    recording_of,
    runs,
    until,
    until_running,
    until_state,
)

pytestmark = pytest.mark.timeout(300)


@pytest_asyncio.fixture
async def s3(endpoints: Endpoints) -> AsyncIterator[FaultProxy]:
    """The network between a worker and S3."""
    async with fault_proxy(endpoints.s3_url) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def postgres(database_url: str) -> AsyncIterator[FaultProxy]:
    """The network between a process and PostgreSQL."""
    async with fault_proxy(database_url) as proxy:
        yield proxy


async def _until_stage(database: Database, recording_id: UUID, *stages: str) -> None:
    """Wait until these stages are to be done, or done."""

    async def there() -> bool:
        return set(stages) <= (await runs(database, recording_id)).keys()

    await until(there, what=f"{stages} in the ledger")


async def _until_noted(database: Database, recording_id: UUID, stage: str, code: str) -> None:
    """Wait until a stage has failed for this reason."""

    async def noted() -> bool:
        run = (await runs(database, recording_id)).get(stage)
        return run is not None and run.error_code == code

    await until(noted, what=f"{stage} ends with {code}")


async def _assert_whole(database: Database, storage: Storage, recording_id: UUID, original: Path) -> None:
    """The original is byte-exact, and every file that is shown is there as long as it is said to be."""
    recording = await recording_of(database, recording_id)
    stored = await storage.get(recording.original_key)
    assert hashlib.sha256(stored).hexdigest() == hashlib.sha256(original.read_bytes()).hexdigest() == recording.sha256
    async with database.work(Silence()) as work:
        query = select(ClipFile).join(Clip).where(Clip.recording_id == recording_id)
        shown = list((await work.session.exec(query)).all())
    assert any(file.kind == "video" for file in shown)
    assert any(file.kind == "poster" for file in shown)
    for file in shown:
        assert (await storage.head(file.key)).size_bytes == file.size_bytes


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT])
async def test_s3_that_fails_for_a_while_only_delays(
    fault: Fault,
    database: Database,
    storage: Storage,
    s3: FaultProxy,
    endpoints: Endpoints,
    a_worker: StartWorker,
    uploaded: Add,
    quick_clip: Path,
) -> None:
    s3.become(fault, cut_after_bytes=quick_clip.stat().st_size // 3)
    recording_id = await uploaded(quick_clip)
    await a_worker(LORECAST_S3_URL=s3.in_front_of(endpoints.s3_url), LORECAST_MAX_STRIKES="1").ready()
    await _until_noted(database, recording_id, "probe", "unavailable.storage")
    assert s3.hits > 0
    assert (await recording_of(database, recording_id)).state.value == "uploaded", "nothing is given up yet"
    s3.become(Fault.NONE)
    await until_state(database, recording_id, "ready")
    await _assert_whole(database, storage, recording_id, quick_clip)


async def test_s3_that_fails_while_results_are_stored_shows_no_half_file(
    database: Database,
    storage: Storage,
    s3: FaultProxy,
    endpoints: Endpoints,
    a_worker: StartWorker,
    uploaded: Add,
    quick_clip: Path,
) -> None:
    recording_id = await uploaded(quick_clip)
    await a_worker(LORECAST_S3_URL=s3.in_front_of(endpoints.s3_url)).ready()
    # The original has been fetched by then; what follows only stores.
    await _until_stage(database, recording_id, "renditions")
    s3.become(Fault.BUSY)
    await _until_noted(database, recording_id, "renditions", "unavailable.storage")
    before = await recording_of(database, recording_id)
    assert before.state.value == "processing"
    s3.become(Fault.NONE)
    await until_state(database, recording_id, "ready")
    await _assert_whole(database, storage, recording_id, quick_clip)


async def test_a_download_that_outlasts_the_lease_is_no_crash(
    database: Database,
    storage: Storage,
    s3: FaultProxy,
    endpoints: Endpoints,
    a_worker: StartWorker,
    uploaded: Add,
    quick_clip: Path,
) -> None:
    recording_id = await uploaded(quick_clip)
    worker = await a_worker(LORECAST_S3_URL=s3.in_front_of(endpoints.s3_url)).ready()
    s3.rate_bytes_s = quick_clip.stat().st_size / 5
    assert worker.environment["LORECAST_LEASE_S"] == "3.0"
    await _until_stage(database, recording_id, "transcribe")
    s3.rate_bytes_s = None
    probed = (await runs(database, recording_id))["probe"]
    assert probed.started_at is not None
    assert probed.finished_at is not None
    assert (probed.finished_at - probed.started_at).total_seconds() > 3
    assert (probed.attempt, probed.strikes) == (1, 0)
    await until_state(database, recording_id, "ready")
    await _assert_whole(database, storage, recording_id, quick_clip)


async def _answers(client: httpx.AsyncClient, url: str, status: int) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).status_code == status
    except httpx.TransportError:
        return False


@pytest_asyncio.fixture
async def site(
    postgres: FaultProxy, database_url: str, a_worker: StartWorker
) -> AsyncIterator[tuple[str, WorkerProcess]]:
    """The address of a web process, and a worker that is ready, both behind the network to PostgreSQL."""
    given = {"LORECAST_DATABASE_URL": postgres.in_front_of(database_url), "LORECAST_LEASE_S": "60"}
    worker = a_worker(**given)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**worker.environment, **given, "LORECAST_PORT": str(port), "LORECAST_PUBLIC_URL": url}
    web = spawn([*worker.argv[:-1], "serve"], env=environment, log=worker.log.with_name("web.log"))
    await worker.ready()
    yield url, worker
    # Off this loop, which passes their last words on to the database.
    await asyncio.gather(asyncio.to_thread(stop, web, grace_s=15), asyncio.to_thread(worker.stop))


async def test_an_encode_that_ends_while_postgresql_is_restarted_is_kept_and_the_web_process_goes_on(
    database: Database,
    postgres: FaultProxy,
    site: tuple[str, WorkerProcess],
    storage: Storage,
    uploaded: Add,
    busier_clip: Path,
) -> None:
    web_url, worker = site
    async with httpx.AsyncClient() as client:
        await until(lambda: _answers(client, web_url, 200), what="web ready")
        recording_id = await uploaded(busier_clip)
        before = await until_running(database, recording_id, "renditions", progress=0.02)
        # What a restart looks like from outside: told to leave, refused, told to wait, served.
        async with database.work(Silence()) as work:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            await work.session.execute(text(f"{query} WHERE datname = current_database() AND pid <> pg_backend_pid()"))
        await postgres.refuse()
        await until(lambda: _answers(client, web_url, 503), what="web says that the database is away")
        await until(lambda: _said(worker.log, "stage.waits_for_database"), what="a stage has ended meanwhile")
        encoders = [member for member in worker.family() if member.name().startswith("ffmpeg")]
        await asyncio.to_thread(psutil.wait_procs, encoders, timeout=60)
        postgres.become(Fault.STARTING)
        await postgres.listen()
        await until(lambda: _hit(postgres), what="somebody asks a server that is starting")
        assert await _answers(client, web_url, 503)
        postgres.become(Fault.NONE)
        await until(lambda: _answers(client, web_url, 200), what="web ready again")
    await until_state(database, recording_id, "ready")
    after = (await runs(database, recording_id))["renditions"]
    assert (after.fence, after.strikes) == (before.fence, 0), "the encode was not begun again"
    await _assert_whole(database, storage, recording_id, busier_clip)


async def _hit(proxy: FaultProxy) -> bool:
    return proxy.hits > 0


async def test_a_worker_cut_off_from_postgresql_stops_its_encode_and_another_finishes(
    database: Database,
    database_url: str,
    postgres: FaultProxy,
    storage: Storage,
    a_worker: StartWorker,
    uploaded: Add,
    busier_clip: Path,
    quick_clip: Path,
) -> None:
    recording_id = await uploaded(busier_clip)
    lonely = await a_worker(LORECAST_DATABASE_URL=postgres.in_front_of(database_url)).ready()
    before = await until_running(database, recording_id, "renditions", progress=0.02)
    encoders = [member for member in lonely.family() if member.name().startswith("ffmpeg")]
    assert encoders, "an encode was running"
    postgres.become(Fault.BLACK_HOLE)
    await asyncio.to_thread(psutil.wait_procs, encoders, timeout=60)
    assert not [encoder for encoder in encoders if encoder.is_running()], "it ended its encode by itself"
    await until(lambda: _said(lonely.log, "stage.lease_lost"), within_s=30, what="it knows why")
    assert "stage.done" not in lonely.text().rpartition("stage.lease_lost")[2]

    other = await a_worker().ready()
    await until_state(database, recording_id, "ready")
    assert (await runs(database, recording_id))["renditions"].fence > before.fence
    await _assert_whole(database, storage, recording_id, busier_clip)
    await asyncio.to_thread(other.stop)

    postgres.become(Fault.NONE)
    next_id = await uploaded(quick_clip)
    await until_state(database, next_id, "ready")
    assert lonely.process.poll() is None

    postgres.become(Fault.BLACK_HOLE)
    assert await asyncio.to_thread(lonely.stop) == 0, "it can be stopped while it is cut off"


async def _said(log: Path, event: str) -> bool:
    return event in log.read_text()


@pytest.mark.parametrize("disk_per_clip", [0.5, 1.2], ids=["no-room-for-the-original", "no-room-for-results"])
async def test_a_full_disk_is_named_stops_nothing_else_and_the_work_can_be_run_again(
    disk_per_clip: float,
    small_disk: Disk,
    database: Database,
    storage: Storage,
    a_worker: StartWorker,
    uploaded: Add,
    busy_clip: Path,
    quick_clip: Path,
) -> None:
    small_disk.resize(int(busy_clip.stat().st_size * disk_per_clip))
    too_large = await uploaded(busy_clip)
    worker = await a_worker(LORECAST_SCRATCH=str(small_disk.path), LORECAST_MAX_STRIKES="2").ready()
    failed = await until_state(database, too_large, "failed")
    assert failed.failure_code == "work.disk_full"
    assert str(small_disk.path) in (failed.failure_text or "")
    await until(lambda: _at_rest(database, too_large), what="every other step of it, which fills the disk too, ended")
    small = await uploaded(quick_clip)
    await until_state(database, small, "ready")

    small_disk.resize(500 << 20)
    async with database.work(Silence()) as work:
        admin = await a_person(work, role=Role.ADMIN)
        await rerun_failed_stages(work, person=admin, recording_id=too_large)
    await until_state(database, too_large, "ready")
    await _assert_whole(database, storage, too_large, busy_clip)
    assert worker.process.poll() is None


async def _at_rest(database: Database, recording_id: UUID) -> bool:
    states = {run.state for run in (await runs(database, recording_id)).values()}
    return states.isdisjoint({StageState.WAITING, StageState.RUNNING})


async def test_short_recordings_are_ready_while_a_long_encode_runs(
    database: Database, a_worker: StartWorker, uploaded: Add, long_clip: Path, quick_clip: Path
) -> None:
    long = await uploaded(long_clip)
    await a_worker().ready()
    encode = await until_running(database, long, "renditions", progress=0.01)
    short = [await uploaded(quick_clip) for _ in range(5)]
    for recording_id in short:
        await until_state(database, recording_id, "ready")
    still = (await runs(database, long))["renditions"]
    assert (still.state, still.fence) == (StageState.RUNNING, encode.fence), "the encode was running all the while"
    for recording_id in short:
        mine = await runs(database, recording_id)
        for stage in ("probe", "playable", "renditions"):
            started, finished = mine[stage].started_at, mine[stage].finished_at
            assert started is not None
            assert finished is not None
            assert encode.started_at is not None
            assert encode.started_at < started < finished
        assert (await recording_of(database, recording_id)).playable_at is not None
    async with database.work(Silence()) as work:
        admin = await a_person(work, role=Role.ADMIN)
        for recording_id in (long, *short):
            await cancel_processing(work, person=admin, recording_id=recording_id)
