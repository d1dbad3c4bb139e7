"""renditions: one decode gives 720p, 540p, the poster, the storyboard, the waveform and the screen changes."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from capture import service as capture
from capture.models import ClipFile
from infra.database import Work
from workers.media.audio import gain_to_target
from workers.media.renditions import Renditions, make_renditions
from workers.workbench import Task, Workbench

# Encoding yields to everything that somebody waits for, the words first of all (`whisper_process` has 5). Only where
# nothing plays before it is through, both are waited for alike.
NICE = 10
NICE_IF_NOTHING_PLAYS = 5


async def run(bench: Workbench, task: Task) -> None:
    """Publish every rendition of the clip."""
    recording, info = await bench.recording(task)
    async with bench.work() as work:
        clip = await capture.clip_to_process(work, recording.id, task.claim.version)
    async with bench.sound(recording, info, lambda _: None) as sound, bench.source(recording) as (source, _):
        made = await make_renditions(
            bench.sandbox,
            source,
            info,
            task.folder,
            gain_db=gain_to_target(sound),
            threads=bench.settings.encode_threads,
            nice=NICE if info.copyable else NICE_IF_NOTHING_PLAYS,
            on_progress=task.report,
        )
    files = list_files(made, clip.id, task.claim.prefix)
    for path, file in files:
        await bench.storage.put_file(file.key, path, media_type=file.media_type)

    async def change(work: Work) -> None:
        await capture.add_files(work, clip.id, [file for _, file in files])
        await capture.note_scenes(
            work, recording.id, task.claim.version, scene_changes_s=[round(at, 2) for at in made.scene_changes_s]
        )

    await bench.publish(task, change)


def list_files(made: Renditions, clip_id: UUID, prefix: str) -> list[tuple[Path, ClipFile]]:
    """Each file that was made, beside the row that will publish it."""
    found: list[tuple[Path, ClipFile]] = []

    def add(path: Path | None, kind: str, media_type: str, width: int | None = None, height: int | None = None) -> None:
        if path is not None:
            row = ClipFile(
                clip_id=clip_id,
                name=path.name,
                kind=kind,
                key=prefix + path.name,
                media_type=media_type,
                size_bytes=path.stat().st_size,
                width=width,
                height=height,
            )
            found.append((path, row))

    for video in made.videos:
        add(video.path, "video", video.media_type, video.width, video.height)
    add(made.poster, "poster", "image/jpeg")
    add(made.storyboard, "storyboard", "image/jpeg")
    add(made.storyboard_vtt, "storyboard_vtt", "text/vtt")
    add(made.peaks, "peaks", "application/json")
    return found
