"""A worker whose clock is wrong does the ledger no harm: every time in it is the database's own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from capture.models import Upload
from infra.database import Database, Silence, utc_now
from infra.ledger import StageState
from tests.builders import a_recording, an_upload
from tests.fixtures.workers import Add, StartWorker, runs, until, until_state

_WRONG_CLOCK = """
import datetime, time

_OFF_S = {days} * 86400
_time = time.time
time.time = lambda: _time() + _OFF_S


class _Off(type):
    def __instancecheck__(cls, other):
        return isinstance(other, _right)


_right = datetime.datetime


class datetime_(_right, metaclass=_Off):
    @classmethod
    def now(cls, tz=None):
        return _right.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


datetime.datetime = datetime_
"""


_LIFE_OF_A_STAGE = """
import asyncio, sys, time
from uuid import UUID
from infra import ledger
from infra.database import Database, Silence, utc_now

async def main(url, recording_id):
    database = Database(url)
    async def do(verb, *given, **named):
        async with database.work(Silence()) as work:
            return await verb(work, *given, **named)
    async def claim():
        return await do(ledger.claim, stages={"probe": 60.0}, owner="elsewhen", lease_s=60)
    print(time.time())
    await do(ledger.require, recording_id, 1, {"probe": 1.0})
    claimed = await claim()
    assert claimed, "what is required can be claimed at once"
    assert await do(ledger.renew, {(claimed.id, claimed.fence): 0.5}, lease_s=60)
    assert await do(ledger.sweep, max_strikes=6) == []
    await do(ledger.give_back, claimed)
    claimed = await claim()
    assert claimed, "what is given back can be claimed at once"
    await do(ledger.note_worker, "elsewhen")
    assert await do(ledger.count_workers) == 1
    await do(ledger.complete, claimed)
    await database.close()

asyncio.run(main(sys.argv[1], UUID(sys.argv[2])))
"""


@pytest.mark.parametrize("days", [-3, 3])
async def test_every_time_in_the_ledger_is_the_databases_own(
    days: int, database: Database, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_WRONG_CLOCK.format(days=days))
    async with database.work(Silence()) as work:
        recording = await a_recording(work)
    began = await _database_time(database)
    elsewhen = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LIFE_OF_A_STAGE, database_url, str(recording.id),
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(elsewhen.communicate(), 60)
    assert elsewhen.returncode == 0
    ended = await _database_time(database)
    assert abs(float(said) - began.timestamp()) > 2 * 86400, "its clock was wrong"
    run = (await runs(database, recording.id))["probe"]
    assert (run.state, run.strikes) == (StageState.DONE, 0)
    for at in (run.created_at, run.not_before, run.started_at, run.finished_at):
        assert at is not None
        assert began <= at <= ended


async def _database_time(database: Database) -> datetime:
    async with database.work(Silence()) as work:
        found: datetime = (await work.session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return found


@pytest.mark.parametrize("days", [-3, 3])
async def test_a_worker_whose_clock_is_wrong_by_days_works_like_any_other(
    days: int, database: Database, a_worker: StartWorker, uploaded: Add, quick_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_WRONG_CLOCK.format(days=days))
    async with database.work(Silence()) as work:
        open_upload = await an_upload(work, expires_at=utc_now() + timedelta(hours=24))
        over = await an_upload(work, expires_at=utc_now() - timedelta(hours=1))
    recording_id = await uploaded(quick_clip)
    worker = await a_worker(PYTHONPATH=str(tmp_path)).ready()
    recording = await until_state(database, recording_id, "ready", "failed", within_s=60)
    ended = await runs(database, recording_id)
    assert {(run.state, run.strikes) for run in ended.values()} == {(StageState.DONE, 0)}
    assert "storage.clock_is_wrong" in worker.text()
    for at in (recording.playable_at, recording.in_review_at, recording.complete_at):
        assert at is not None
        assert abs(at - utc_now()) < timedelta(minutes=5)

    async def tidied() -> bool:
        async with database.work(Silence()) as work:
            return await work.session.get(Upload, over.id) is None

    await until(tidied, what="an upload whose time is over is dropped")
    async with database.work(Silence()) as work:
        assert await work.session.get(Upload, open_upload.id) is not None, "one that may go on is kept"
