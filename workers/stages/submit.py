"""submit: put the clip into the review queue."""

from __future__ import annotations

from infra.database import Work
from review.service import submit
from workers.workbench import Task, Workbench


async def run(bench: Workbench, task: Task) -> None:
    """Publish the submission."""

    async def change(work: Work) -> None:
        await submit(work, recording_id=task.claim.recording_id, version=task.claim.version)

    await bench.publish(task, change)
