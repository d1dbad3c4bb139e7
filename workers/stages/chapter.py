"""chapter: where a new topic starts, and what each chapter is called."""

from __future__ import annotations

import asyncio
from functools import partial

from capture import service as capture
from infra.database import Work
from workers.language.chapters import chapters
from workers.language.records import Transcript
from workers.language.sentences import sentences
from workers.language.titles import LONGEST
from workers.media.screens import glimpse
from workers.workbench import Task, Workbench


async def run(bench: Workbench, task: Task) -> None:
    """Publish the chapters of a transcript. One topic is one chapter; nothing said is one chapter, the whole."""
    recording, info = await bench.recording(task)
    async with bench.work() as work:
        clip = await capture.clip_to_process(work, task.claim.recording_id, task.claim.version)
    said = sentences(Transcript.from_json(clip.transcript or {}).segments)

    async def screen() -> list[float]:
        # Renditions find the changes of the screen, but are often not ready so early.
        if clip.scene_changes_s or not said:
            return clip.scene_changes_s
        async with bench.source(recording) as (source, _):
            return await glimpse(bench.sandbox, source, info, task.folder)

    vectors, changes_s = await asyncio.gather(bench.embed([sentence.text for sentence in said]), screen())
    found = await asyncio.to_thread(
        partial(chapters, said, vectors, duration_s=clip.duration_s, scene_changes_s=changes_s)
    )
    listed = [
        {
            "start_s": round(chapter.start_s, 2),
            "end_s": round(chapter.end_s, 2),
            "title": chapter.title,
            "confidence": round(chapter.confidence, 3),
        }
        for chapter in found
    ]
    if not listed:
        listed = [{"start_s": 0.0, "end_s": round(clip.duration_s, 2), "title": recording.title, "confidence": 1.0}]
    if len(listed) == 1 and len(recording.title) <= LONGEST:
        # About one thing: nobody names it better than who recorded it.
        listed[0]["title"] = recording.title

    async def change(work: Work) -> None:
        await capture.note_chapters(work, recording.id, task.claim.version, chapters=listed)

    await bench.publish(task, change)
