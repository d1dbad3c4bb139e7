"""submit: put the clip into the review queue."""

from __future__ import annotations

from review.service import submit
from workers.workbench import Task, Workbench


async def run(bench: Workbench, task: Task) -> None:
    """Publish the submission."""
    async with bench.publish(task) as work:
        await submit(work, recording_id=task.claim.recording_id, version=task.claim.version)
