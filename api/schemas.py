"""Shapes that go out of the JSON door. Times are UTC ISO 8601, lengths are seconds as floats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from capture.models import Clip, ClipFile, Recording
from capture.states import RecordingState
from infra.ledger import StageRun, StageState
from review.models import Comment, Submission
from review.service import SubmissionView
from review.states import SubmissionState


class StageError(BaseModel):
    """Why a stage failed."""

    code: str
    sentence: str


class StageOut(BaseModel):
    """One step of the work on a recording."""

    name: str
    state: StageState
    progress: float
    attempt: int
    error: StageError | None

    @classmethod
    def of(cls, run: StageRun) -> StageOut:
        """From its row."""
        error = None
        if run.error_code is not None:
            error = StageError(code=run.error_code, sentence=run.error_text or "")
        return cls(name=run.stage, state=run.state, progress=run.progress, attempt=run.attempt, error=error)


class TimingsOut(BaseModel):
    """When each thing was first true."""

    uploaded_at: datetime | None
    playable_at: datetime | None
    transcribed_at: datetime | None
    in_review_at: datetime | None
    complete_at: datetime | None


class FileOut(BaseModel):
    """A file of a clip."""

    name: str
    kind: str
    url: str
    media_type: str
    size_bytes: int
    width: int | None
    height: int | None

    @classmethod
    def of(cls, file: ClipFile) -> FileOut:
        """From its row."""
        known = file.model_dump(include={"name", "kind", "media_type", "size_bytes", "width", "height"})
        return cls(url=media_url(file), **known)


class ClipOut(BaseModel):
    """What the workers made of a recording."""

    id: UUID
    version: int
    duration_s: float
    language: str | None
    files: list[FileOut]

    @classmethod
    def of(cls, clip: Clip, files: Sequence[ClipFile]) -> ClipOut:
        """From its rows."""
        listed = [FileOut.of(file) for file in files if file.clip_id == clip.id]
        return cls(id=clip.id, version=clip.version, duration_s=clip.duration_s, language=clip.language, files=listed)


class RecordingOut(BaseModel):
    """A recording, and where the work on it stands."""

    id: UUID
    title: str
    state: RecordingState
    language: str | None
    duration_s: float | None
    size_bytes: int
    sha256: str | None
    created_at: datetime
    stages: list[StageOut]
    timings: TimingsOut
    failure: StageError | None
    clip: ClipOut | None
    submission_id: UUID | None
    submission_state: SubmissionState | None

    @classmethod
    def of(
        cls,
        recording: Recording,
        runs: Sequence[StageRun],
        clip: Clip | None,
        files: Sequence[ClipFile],
        submission: Submission | None,
    ) -> RecordingOut:
        """From its rows."""
        failure = None
        if recording.failure_code is not None:
            failure = StageError(code=recording.failure_code, sentence=recording.failure_text or "")
        mine = [run for run in runs if run.recording_id == recording.id and run.version == recording.version]
        known = {"id", "title", "state", "language", "duration_s", "size_bytes", "sha256", "created_at"}
        return cls(
            **recording.model_dump(include=known),
            stages=[StageOut.of(run) for run in mine],
            timings=TimingsOut(**recording.model_dump(include=set(TimingsOut.model_fields))),
            failure=failure,
            clip=ClipOut.of(clip, files) if clip is not None else None,
            submission_id=submission.id if submission else None,
            submission_state=submission.state if submission else None,
        )


class ChapterOut(BaseModel):
    """A chapter of a clip."""

    start_s: float
    end_s: float
    title: str


class WordOut(BaseModel):
    """A word and how sure the model was of it (0..1)."""

    start_s: float
    end_s: float
    text: str
    probability: float


class SegmentOut(BaseModel):
    """Words that belong together."""

    start_s: float
    end_s: float
    text: str
    words: list[WordOut]


class RemovedOut(BaseModel):
    """Text that was dropped as probably never said."""

    start_s: float
    end_s: float
    text: str
    reason: str


class TranscriptOut(BaseModel):
    """What is said in a clip."""

    language: str | None
    segments: list[SegmentOut]
    removed: list[RemovedOut] = []


class OwnerOut(BaseModel):
    """Who recorded something."""

    id: UUID
    name: str


class SubmissionOut(BaseModel):
    """A clip waiting for a verdict; a verdict must name the digest."""

    id: UUID
    state: SubmissionState
    recording_id: UUID
    clip_id: UUID
    title: str
    owner: OwnerOut
    duration_s: float
    digest: str
    doubts: list[dict[str, Any]]
    created_at: datetime

    @classmethod
    def of(cls, view: SubmissionView) -> SubmissionOut:
        """From what the service found."""
        return cls(
            id=view.submission.id,
            state=view.submission.state,
            recording_id=view.recording.id,
            clip_id=view.clip.id,
            title=view.recording.title,
            owner=OwnerOut(id=view.owner.id, name=view.owner.name),
            duration_s=view.clip.duration_s,
            digest=view.digest,
            doubts=view.submission.doubts,
            created_at=view.submission.created_at,
        )


class CommentOut(BaseModel):
    """Something said about a submission."""

    id: UUID
    author: str
    at_s: float | None
    text: str
    created_at: datetime

    @classmethod
    def of(cls, comment: Comment, author: str) -> CommentOut:
        """From its row."""
        return cls(author=author, **comment.model_dump(include={"id", "at_s", "text", "created_at"}))


def media_url(file: ClipFile) -> str:
    """Where a file is served, with permission checked on each request."""
    return f"/media/{file.clip_id}/{file.name}"
