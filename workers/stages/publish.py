"""publish: an approved clip becomes a lesson."""

from __future__ import annotations

from capture import service as capture
from infra.database import Work
from learn.service import publish
from workers.workbench import Task, Workbench


async def run(bench: Workbench, task: Task) -> None:
    """Publish the lesson. A new version of a recording keeps its lesson's address."""

    async def change(work: Work) -> None:
        recording = await capture.recording_to_process(work, task.claim.recording_id)
        clip = await capture.clip_to_process(work, task.claim.recording_id, task.claim.version)
        await publish(
            work, recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, title=recording.title
        )

    await bench.publish(task, change)
