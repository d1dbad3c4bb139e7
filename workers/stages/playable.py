"""playable: copy what a browser can already play into a faststart MP4, at once."""

from __future__ import annotations

from capture import service as capture
from capture.models import ClipFile
from infra.database import Work
from workers.media.playable import make_playable
from workers.workbench import Task, Workbench

NAME = "source.mp4"


async def run(bench: Workbench, task: Task) -> None:
    """Publish a copy of the source; where it cannot be copied, renditions will make the clip playable."""
    recording, info = await bench.recording(task)
    key = task.claim.prefix + NAME
    async with bench.source(recording) as (source, _):
        made = await make_playable(bench.sandbox, source, info, task.folder)
    if made is not None:
        await bench.storage.put_file(key, made, media_type="video/mp4")

    async def change(work: Work) -> None:
        if made is None or info.video is None:
            return
        clip = await capture.clip_to_process(work, recording.id, task.claim.version)
        file = ClipFile(
            clip_id=clip.id,
            name=NAME,
            kind="video",
            key=key,
            media_type="video/mp4",
            size_bytes=made.stat().st_size,
            width=info.video.width,
            height=info.video.height,
        )
        await capture.add_files(work, clip.id, [file])

    await bench.publish(task, change)
