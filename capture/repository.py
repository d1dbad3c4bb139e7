"""Queries of capture. `get_…` raises NotFound, `find_…` may return None; ownership is in the query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from capture.models import Clip, ClipFile, Recording, Upload
from capture.states import RecordingState
from infra.database import Work
from infra.errors import NotFound
from infra.ledger import StageRun, StageState


async def find_upload(work: Work, upload_id: UUID, *, owner_id: UUID, lock: bool = False) -> Upload | None:
    """An upload of this owner. `lock` waits for other writers of the row."""
    query = select(Upload).where(Upload.id == upload_id, Upload.owner_id == owner_id)
    return (await work.session.exec(query.with_for_update() if lock else query)).one_or_none()


async def count_open_uploads(work: Work, *, owner_id: UUID, now: datetime) -> int:
    """Unfinished uploads of this owner that have not expired."""
    query = select(Upload.id).where(
        Upload.owner_id == owner_id, col(Upload.completed_at).is_(None), col(Upload.expires_at) > now
    )
    return len((await work.session.exec(query)).all())


async def expired_uploads(work: Work, *, now: datetime, limit: int) -> list[Upload]:
    """Unfinished uploads whose time is over, locked against their writers."""
    query = (
        select(Upload)
        .where(col(Upload.completed_at).is_(None), col(Upload.expires_at) < now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list((await work.session.exec(query)).all())


async def get_recording(work: Work, recording_id: UUID, *, lock: bool = False) -> Recording:
    """A recording that is not deleted, whoever owns it."""
    query = select(Recording).where(Recording.id == recording_id, Recording.state != RecordingState.DELETED)
    if lock:
        query = query.with_for_update()
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise NotFound("There is no such recording, or it is not yours.", code="recording.not_found")
    return found


async def list_recordings(work: Work, *, owner_id: UUID, limit: int) -> list[Recording]:
    """Recordings of this owner, newest first."""
    query = (
        select(Recording)
        .where(Recording.owner_id == owner_id, Recording.state != RecordingState.DELETED)
        .order_by(col(Recording.created_at).desc())
        .limit(limit)
    )
    return list((await work.session.exec(query)).all())


async def find_clip(work: Work, recording_id: UUID, version: int, *, lock: bool = False) -> Clip | None:
    """The clip of one version of a recording."""
    query = select(Clip).where(Clip.recording_id == recording_id, Clip.version == version)
    return (await work.session.exec(query.with_for_update() if lock else query)).one_or_none()


async def get_clip(work: Work, clip_id: UUID) -> tuple[Clip, Recording]:
    """A clip and its recording."""
    query = (
        select(Clip, Recording)
        .join(Recording, col(Recording.id) == col(Clip.recording_id))
        .where(Clip.id == clip_id, Recording.state != RecordingState.DELETED)
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise no_such_clip()
    return found[0], found[1]


def no_such_clip() -> NotFound:
    """The same words for a clip that is not there and for one that is hidden."""
    return NotFound("There is no such clip, or it is not for you.", code="clip.not_found")


async def clips_of(work: Work, recordings: Sequence[Recording]) -> dict[UUID, Clip]:
    """The newest clip of each recording, by recording id."""
    query = select(Clip).where(col(Clip.recording_id).in_([recording.id for recording in recordings]))
    clips = (await work.session.exec(query.order_by(col(Clip.version)))).all()
    return {clip.recording_id: clip for clip in clips}


async def files_of(work: Work, clip_ids: Sequence[UUID]) -> list[ClipFile]:
    """Every file of these clips, widest video first."""
    query = select(ClipFile).where(col(ClipFile.clip_id).in_(clip_ids))
    return list((await work.session.exec(query.order_by(col(ClipFile.height).desc(), col(ClipFile.name)))).all())


async def find_file(work: Work, clip_id: UUID, name: str) -> ClipFile | None:
    """One file of a clip by its public name."""
    return await work.session.get(ClipFile, (clip_id, name))


async def stuck_recordings(work: Work) -> list[tuple[UUID, str, str]]:
    """Recordings in processing with a stage that ended for good: (recording id, error code, sentence)."""
    query = (
        select(Recording.id, StageRun.error_code, StageRun.error_text)
        .join(StageRun, (col(StageRun.recording_id) == col(Recording.id)) & (StageRun.version == Recording.version))
        .where(
            col(Recording.state).in_([RecordingState.UPLOADED, RecordingState.PROCESSING]),
            col(StageRun.state).in_([StageState.FAILED, StageState.DEAD]),
        )
    )
    rows = (await work.session.exec(query)).all()
    return [(row[0], row[1] or "work.failed", row[2] or "This step failed.") for row in rows]


async def titles_of(work: Work, recording_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Titles by recording id, without deleted recordings."""
    query = select(Recording.id, Recording.title).where(
        col(Recording.id).in_(recording_ids), Recording.state != RecordingState.DELETED
    )
    return {row[0]: row[1] for row in (await work.session.exec(query)).all()}
