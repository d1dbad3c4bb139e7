"""A worker is killed at a named point of a stage; the next one finishes what it left, once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func
from sqlmodel import select

from accounts.models import Role
from capture.models import Clip, ClipFile
from infra.database import Database, Silence
from infra.ledger import StageState
from infra.storage import Storage
from learn.models import Lesson
from review.models import Submission
from review.service import decide, list_submissions
from review.states import Decision
from tests.builders import a_person
from tests.fixtures.workers import Add, StartWorker, runs, until, until_state
from workers.pipeline import STAGES, UNTIL_REVIEW

pytestmark = pytest.mark.timeout(300)
# Points of a stage: the attempts that a kill there takes.
POINTS = {"before_{}": 2, "before_commit_of_{}": 2, "after_{}": 1}
EVERY = [(stage.name, point) for stage in STAGES for point in POINTS]
OFTEN = [("transcribe", "after_{}"), ("renditions", "before_commit_of_{}"), ("publish", "before_commit_of_{}")]


@pytest.mark.parametrize(
    ("stage", "point"),
    [pytest.param(*case, marks=[] if case in OFTEN else [pytest.mark.hard]) for case in EVERY],
)
async def test_a_worker_killed_there_loses_nothing_and_nothing_is_done_twice(
    stage: str, point: str, database: Database, storage: Storage, a_worker: StartWorker, uploaded: Add, quick_clip: Path
) -> None:
    recording_id = await uploaded(quick_clip)
    if stage not in UNTIL_REVIEW:
        first = await a_worker().ready()
        await until_state(database, recording_id, "ready")
        await asyncio.to_thread(first.stop)
        await _approve(database)
    killed = a_worker(LORECAST_FAILPOINT=point.format(stage))
    assert await asyncio.to_thread(killed.process.wait, 120) == -signal.SIGKILL
    await a_worker().ready()
    if stage in UNTIL_REVIEW:
        await until_state(database, recording_id, "ready")
        await _approve(database)
    await until(lambda: _indexed(database, recording_id), what="the lesson can be found")

    ended = await runs(database, recording_id)
    assert {run.state for run in ended.values()} == {StageState.DONE}
    attempts = POINTS[point]
    assert (ended[stage].fence, ended[stage].strikes) == (attempts, 2 * (attempts - 1))
    assert await _counted(database) == {"clips": 1, "submissions": 1, "lessons": 1}
    await _assert_shown_once(database, storage, recording_id)


async def _approve(database: Database) -> None:
    async with database.work(Silence()) as work:
        reviewer = await a_person(work, role=Role.REVIEWER)
        (view,) = await list_submissions(work, person=reviewer)
        await decide(
            work,
            person=reviewer,
            submission_id=view.submission.id,
            decision=Decision.APPROVE,
            digest=view.digest,
            text="",
        )


async def _indexed(database: Database, recording_id: UUID) -> bool:
    index = (await runs(database, recording_id)).get("index")
    return index is not None and index.state is StageState.DONE


async def _counted(database: Database) -> dict[str, int]:
    tables = {"clips": Clip, "submissions": Submission, "lessons": Lesson}
    async with database.work(Silence()) as work:
        return {
            name: (await work.session.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in tables.items()
        }


async def _assert_shown_once(database: Database, storage: Storage, recording_id: UUID) -> None:
    async with database.work(Silence()) as work:
        query = select(ClipFile).join(Clip).where(Clip.recording_id == recording_id)
        files = list((await work.session.exec(query)).all())
    assert max(Counter(file.name for file in files).values()) == 1
    for file in files:
        assert (await storage.head(file.key)).size_bytes == file.size_bytes
