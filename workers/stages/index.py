"""index: make the sentences of a lesson findable."""

from __future__ import annotations

from capture import service as capture
from infra.database import Work
from learn.passages import passages, texts
from learn.service import find_lesson_of_clip, index_lesson
from workers.language.records import Transcript
from workers.language.sentences import sentences
from workers.workbench import Task, Workbench


async def run(bench: Workbench, task: Task) -> None:
    """Publish the passages of a lesson, replacing those of an earlier version."""
    async with bench.work() as work:
        clip = await capture.clip_to_process(work, task.claim.recording_id, task.claim.version)
        lesson = await find_lesson_of_clip(work, clip.id)
    if lesson is None:
        # A newer version, or its retirement, came first: there is nothing to find here any more.
        await bench.publish(task)
        return
    said = [sentence.to_json() for sentence in sentences(Transcript.from_json(clip.transcript or {}).segments)]
    drafts = passages(said, clip.chapters or [], lesson_title=lesson.title)
    vectors = await bench.embed(texts(drafts))

    async def change(work: Work) -> None:
        await index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=vectors)

    await bench.publish(task, change)
