"""Ready-made rows for tests: plain rows with sensible defaults, flushed, in a unit of work of the test.

Each builder makes what it needs around it, so a test says only what it is about.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlmodel import SQLModel

from accounts.models import Person, Role
from capture.models import Clip, ClipFile, Recording, Upload
from capture.states import RecordingState
from infra.database import Work, utc_now
from learn.models import EMBEDDING_SIZE, Lesson, Passage
from learn.states import LessonState
from review.models import Submission
from review.states import SubmissionState

_numbers = itertools.count(1)
Row = TypeVar("Row", bound=SQLModel)

SENTENCES = (
    (0.4, 4.0, "Open the settings of the label printer."),
    (4.6, 9.2, "Choose the paper size that is printed on the roll."),
    (10.0, 14.5, "Press the feed button until a label comes out."),
)


async def _added(work: Work, row: Row) -> Row:
    work.session.add(row)
    await work.session.flush()
    return row


async def a_person(work: Work, *, role: Role = Role.LEARNER, name: str = "", email: str = "", **more: Any) -> Person:
    """Somebody; each has a name and an address of their own."""
    number = next(_numbers)
    name = name or f"{role.value.capitalize()} {number}"
    return await _added(work, Person(email=email or f"{role.value}{number}@example.org", name=name, role=role, **more))


async def a_recording(
    work: Work, *, owner: Person | None = None, state: RecordingState = RecordingState.UPLOADED, **more: Any
) -> Recording:
    """A recording of 15 seconds whose bytes are said to be there (none are stored)."""
    owner = owner or await a_person(work, role=Role.EXPERT)
    values: dict[str, Any] = {
        "title": "Change the label roll",
        "container": "mp4",
        "size_bytes": 1000,
        "sha256": "0" * 64,
        "duration_s": 15.0,
        "uploaded_at": None if state is RecordingState.UPLOADING else utc_now(),
    }
    return await _added(work, Recording(owner_id=owner.id, state=state, **(values | more)))


async def an_upload(work: Work, *, recording: Recording | None = None, **more: Any) -> Upload:
    """An upload that has not begun."""
    recording = recording or await a_recording(work, state=RecordingState.UPLOADING, size_bytes=0, sha256=None)
    values: dict[str, Any] = {"length_bytes": 1000, "expires_at": utc_now() + timedelta(hours=1)}
    return await _added(work, Upload(owner_id=recording.owner_id, recording_id=recording.id, **(values | more)))


def a_transcript(sentences: Sequence[tuple[float, float, str]] = SENTENCES, *, language: str = "en") -> dict[str, Any]:
    """A transcript in JSON: (start_s, end_s, text) of each sentence, its words spread evenly."""
    segments = []
    for start_s, end_s, text in sentences:
        spoken = text.split()
        step_s = (end_s - start_s) / len(spoken)
        words = [
            {
                "start_s": round(start_s + position * step_s, 3),
                "end_s": round(start_s + (position + 1) * step_s, 3),
                "text": word,
                "probability": 0.98,
            }
            for position, word in enumerate(spoken)
        ]
        segments.append({"start_s": start_s, "end_s": end_s, "text": text, "words": words})
    return {"language": language, "segments": segments}


async def a_clip(work: Work, *, recording: Recording | None = None, **more: Any) -> Clip:
    """A transcribed clip with two chapters."""
    recording = recording or await a_recording(work, state=RecordingState.READY)
    values: dict[str, Any] = {
        "version": recording.version,
        "duration_s": 15.0,
        "language": "en",
        "transcript": a_transcript(),
        "chapters": [
            {"start_s": 0.0, "end_s": 9.6, "title": "Choose the paper size", "confidence": 0.8},
            {"start_s": 9.6, "end_s": 15.0, "title": "Press the feed button", "confidence": 0.8},
        ],
    }
    return await _added(work, Clip(recording_id=recording.id, **(values | more)))


async def a_clip_file(work: Work, *, clip: Clip, name: str = "720p.mp4", **more: Any) -> ClipFile:
    """A file of a clip; store its bytes under `key` yourself."""
    values: dict[str, Any] = {
        "kind": "video",
        "key": f"clips/{clip.id}/{name}",
        "media_type": "video/mp4",
        "size_bytes": 1000,
    }
    return await _added(work, ClipFile(clip_id=clip.id, name=name, **(values | more)))


async def _recording_of(work: Work, clip: Clip) -> Recording:
    return await work.session.get_one(Recording, clip.recording_id)


async def a_submission(
    work: Work, *, clip: Clip | None = None, state: SubmissionState = SubmissionState.WAITING, **more: Any
) -> Submission:
    """A clip that waits for a verdict."""
    clip = clip or await a_clip(work)
    recording = await _recording_of(work, clip)
    row = Submission(recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, state=state, **more)
    return await _added(work, row)


async def a_lesson(
    work: Work, *, clip: Clip | None = None, state: LessonState = LessonState.PUBLISHED, **more: Any
) -> Lesson:
    """A published lesson, not indexed: add passages where search matters."""
    clip = clip or await a_clip(work)
    recording = await _recording_of(work, clip)
    values: dict[str, Any] = {
        "slug": f"change-the-label-roll-{next(_numbers)}",
        "title": recording.title,
        "confirm_by": utc_now() + timedelta(days=180),
    }
    row = Lesson(
        recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, state=state, **(values | more)
    )
    return await _added(work, row)


async def a_passage(work: Work, *, lesson: Lesson, position: int = 0, **more: Any) -> Passage:
    """The first sentences of the transcript above as one passage; give `embedding` where it matters."""
    sentences = [{"start_s": start_s, "end_s": end_s, "text": text} for start_s, end_s, text in SENTENCES[:2]]
    values: dict[str, Any] = {
        "lesson_title": lesson.title,
        "chapter_title": "Choose the paper size",
        "start_s": 0.4,
        "end_s": 9.2,
        "text": " ".join(sentence["text"] for sentence in sentences),  # type: ignore[misc]
        "sentences": sentences,
        "words": "'choos' 'label' 'open' 'paper' 'print' 'printer' 'roll' 'set' 'size'",
        "embedding": [1.0] + [0.0] * (EMBEDDING_SIZE - 1),
        "sentence_vectors": bytes([127] + [0] * (EMBEDDING_SIZE - 1)) * len(sentences),
    }
    return await _added(work, Passage(lesson_id=lesson.id, position=position, **(values | more)))
