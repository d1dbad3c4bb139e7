"""probe: fetch the original, take its SHA-256, and look at what is in it."""

from __future__ import annotations

from capture import service as capture
from capture.container import Container
from infra.database import Work
from workers.media.probe import MediaLimits, probe
from workers.workbench import Task, Workbench, describe


async def run(bench: Workbench, task: Task) -> None:
    """Open the clip with its length and its streams. Raises Rejected for what cannot become a lesson."""
    async with bench.work() as work:
        recording = await capture.recording_to_process(work, task.claim.recording_id)
    async with bench.source(recording) as (source, sha256):
        limits = MediaLimits(max_duration_s=bench.settings.max_duration_s)
        info = await probe(bench.sandbox, source, Container(recording.container), limits=limits)

    async def change(work: Work) -> None:
        await capture.note_probe(work, recording.id, sha256=sha256, duration_s=info.duration_s, probe=describe(info))

    await bench.publish(task, change)
