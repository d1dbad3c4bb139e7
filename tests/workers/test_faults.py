"""Never lost, never stuck: faults in real workers, on real services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from redis.asyncio import Redis
from sqlmodel import select

from accounts.models import Person, Role
from capture.models import Clip, ClipFile
from capture.service import delete_recording, rerun_failed_stages
from infra.database import Database, Silence
from infra.embedded import Endpoints
from infra.ledger import StageState
from infra.storage import Storage
from tests.builders import a_person
from tests.fixtures.workers import Add, StartWorker, recording_of, runs, until, until_running, until_state

pytestmark = pytest.mark.timeout(400)


async def _files(database: Database, recording_id: UUID) -> list[ClipFile]:
    async with database.work(Silence()) as work:
        query = select(ClipFile).join(Clip).where(Clip.recording_id == recording_id)
        return list((await work.session.exec(query)).all())


async def test_a_worker_killed_in_mid_encode_leaves_no_orphan_and_loses_nothing(
    database: Database, storage: Storage, a_worker: StartWorker, uploaded: Add, slow_clip: Path
) -> None:
    recording_id = await uploaded(slow_clip)
    first = await a_worker().ready()
    killed = await until_running(database, recording_id, "renditions", progress=0.05)
    family = first.family()
    assert any(member.name().startswith("ffmpeg") for member in family), "an encode was running"
    first.signal(signal.SIGKILL)
    gone, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=10)
    assert not alive, f"left behind: {alive}, ended: {len(gone)}"

    await a_worker().ready()
    await until_state(database, recording_id, "ready")
    again = (await runs(database, recording_id))["renditions"]
    assert (again.fence, again.strikes) == (killed.fence + 1, 2)
    for file in await _files(database, recording_id):
        assert (await storage.head(file.key)).size_bytes == file.size_bytes
        if file.key.split("/")[3] == "renditions":
            assert f"/renditions/{again.fence}/" in file.key, "only the second attempt is shown"


async def test_a_stopped_worker_that_wakes_after_its_lease_publishes_nothing(
    database: Database, a_worker: StartWorker, uploaded: Add, slow_clip: Path
) -> None:
    recording_id = await uploaded(slow_clip)
    zombie = await a_worker().ready()
    before = await until_running(database, recording_id, "renditions", progress=0.05)
    family = zombie.family()
    for member in family:
        member.suspend()
    await a_worker().ready()
    await until_state(database, recording_id, "ready")
    shown = {file.name: file.key for file in await _files(database, recording_id)}
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # the worker wakes first, and may end its children at once
            member.resume()
    await until(lambda: _said(zombie.log, "stage.lease_lost"), within_s=30, what="the zombie notices")
    assert {file.name: file.key for file in await _files(database, recording_id)} == shown
    assert (await runs(database, recording_id))["renditions"].fence == before.fence + 1
    assert zombie.process.poll() is None, "it goes on with other work"


async def _said(log: Path, event: str) -> bool:
    return event in log.read_text()


async def test_stopping_gives_work_back_and_leaves_no_process(
    database: Database, a_worker: StartWorker, uploaded: Add, slow_clip: Path
) -> None:
    recording_id = await uploaded(slow_clip)
    worker = await a_worker().ready()
    await until_running(database, recording_id, "renditions", progress=0.01)
    family = worker.family()
    worker.signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.process.wait, 40) == 0
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    given_back = (await runs(database, recording_id))["renditions"]
    assert (given_back.state, given_back.strikes) == (StageState.WAITING, 0)
    await a_worker().ready()
    await until_state(database, recording_id, "ready")


async def test_work_goes_on_when_the_doorbell_is_flushed_or_was_never_there(
    database: Database, endpoints: Endpoints, a_worker: StartWorker, uploaded: Add, quick_clip: Path
) -> None:
    valkey: Redis = Redis.from_url(endpoints.valkey_url)
    first = await uploaded(quick_clip)
    await valkey.flushall()
    worker = await a_worker().ready()
    await until_state(database, first, "ready")
    await asyncio.to_thread(worker.stop)

    second = await uploaded(quick_clip)
    deaf = await a_worker(LORECAST_VALKEY_URL="redis://127.0.0.1:9/0").ready()
    await until_state(database, second, "ready")
    await valkey.flushall()
    await valkey.aclose()
    third = await uploaded(quick_clip)
    await until_state(database, third, "ready")
    assert deaf.process.poll() is None


async def test_a_file_that_cannot_be_read_fails_alone_with_a_sentence(
    database: Database, a_worker: StartWorker, uploaded: Add, quick_clip: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(quick_clip.read_bytes()[:40] + os.urandom(4000))
    poison = await uploaded(broken)
    good = [await uploaded(quick_clip) for _ in range(3)]
    await a_worker().ready()
    failed = await until_state(database, poison, "failed")
    assert failed.failure_code is not None
    assert failed.failure_code.startswith("media.")
    assert failed.failure_text
    for recording_id in good:
        await until_state(database, recording_id, "ready")
    assert (await runs(database, poison))["probe"].state == StageState.FAILED


@pytest.mark.parametrize("good_ones", [3, pytest.param(50, marks=pytest.mark.hard)])
async def test_a_file_that_kills_its_worker_dies_alone_and_can_be_run_again(
    good_ones: int, database: Database, a_worker: StartWorker, uploaded: Add, quick_clip: Path
) -> None:
    half = good_ones // 2
    good = [await uploaded(quick_clip) for _ in range(half)]
    poison = await uploaded(quick_clip)
    good += [await uploaded(quick_clip) for _ in range(good_ones - half)]
    for crashes in (1, 2):
        worker = a_worker(LORECAST_FAILPOINT=f"before_transcribe:{poison}", LORECAST_MAX_STRIKES="4")
        assert await asyncio.to_thread(worker.process.wait, 120) == -signal.SIGKILL
        assert (await runs(database, poison))["transcribe"].fence == crashes
    worker = await a_worker(LORECAST_FAILPOINT=f"before_transcribe:{poison}", LORECAST_MAX_STRIKES="4").ready()
    failed = await until_state(database, poison, "failed")
    assert failed.failure_code == "work.crashed"
    assert (await runs(database, poison))["transcribe"].state == StageState.DEAD
    for recording_id in good:
        await until_state(database, recording_id, "ready")
    await asyncio.to_thread(worker.stop)

    await a_worker().ready()
    async with database.work(Silence()) as work:
        admin = await a_person(work, role=Role.ADMIN)
        await rerun_failed_stages(work, person=admin, recording_id=poison)
    await until_state(database, poison, "ready")


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding bubblewrap from one process needs root")
async def test_a_worker_without_its_sandbox_refuses_to_work_and_says_why(
    database: Database, a_worker: StartWorker, uploaded: Add, quick_clip: Path
) -> None:
    recording_id = await uploaded(quick_clip)
    worker = a_worker()
    worker.stop()
    hidden = 'mount --bind /bin/false "$(command -v bwrap)" && exec "$0" "$@"'
    worker.argv = ("unshare", "--mount", "sh", "-c", hidden, *worker.argv)
    worker.log.unlink(missing_ok=True)
    worker.start()
    assert await asyncio.to_thread(worker.process.wait, 120) == 1
    assert "lorecast: " in worker.text()
    assert "sandbox" in worker.text()
    assert (await runs(database, recording_id))["probe"].state == StageState.WAITING


async def test_a_recording_deleted_in_mid_stage_is_left_alone(
    database: Database, a_worker: StartWorker, uploaded: Add, slow_clip: Path
) -> None:
    recording_id = await uploaded(slow_clip)
    worker = await a_worker().ready()
    await until_running(database, recording_id, "renditions", progress=0.05)
    async with database.work(Silence()) as work:
        recording = await recording_of(database, recording_id)
        owner = await work.session.get_one(Person, recording.owner_id)
        await delete_recording(work, person=owner, recording_id=recording_id)
    await until(lambda: _said(worker.log, "stage.lease_lost"), within_s=30, what="the worker lets go")
    after = await runs(database, recording_id)
    assert {run.state for name, run in after.items() if name != "probe"} <= {StageState.CANCELLED, StageState.DONE}
    assert (await recording_of(database, recording_id)).state.value == "deleted"
