"""Queries of review."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from accounts.models import Person
from capture.models import Clip, Recording
from capture.states import RecordingState
from infra.database import Work
from infra.errors import NotFound
from review.models import Comment, Submission, Verdict
from review.states import SubmissionState

Row = tuple[Submission, Recording, Clip, Person]


async def list_submissions(
    work: Work, *, states: Sequence[SubmissionState], owner_id: UUID | None, limit: int
) -> list[Row]:
    """Submissions in these states, those waiting longest first; of this owner unless `owner_id` is None."""
    query = (
        select(Submission, Recording, Clip, Person)
        .join(Recording, col(Recording.id) == col(Submission.recording_id))
        .join(Clip, col(Clip.id) == col(Submission.clip_id))
        .join(Person, col(Person.id) == col(Submission.owner_id))
        .where(col(Submission.state).in_(states), Recording.state != RecordingState.DELETED)
        .order_by(col(Submission.created_at))
        .limit(limit)
    )
    if owner_id is not None:
        query = query.where(Submission.owner_id == owner_id)
    return [(row[0], row[1], row[2], row[3]) for row in (await work.session.exec(query)).all()]


async def get_submission(work: Work, submission_id: UUID, *, lock: bool = False) -> Row:
    """A submission with its recording, clip and owner. `lock` locks the first three, the recording first."""
    query = (
        select(Submission, Recording, Clip, Person)
        .join(Recording, col(Recording.id) == col(Submission.recording_id))
        .join(Clip, col(Clip.id) == col(Submission.clip_id))
        .join(Person, col(Person.id) == col(Submission.owner_id))
        .where(Submission.id == submission_id, Recording.state != RecordingState.DELETED)
    )
    if lock:
        query = query.with_for_update(of=[Recording, Clip, Submission])
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such submission, or it is not for you.", code="submission.not_found")
    return row[0], row[1], row[2], row[3]


async def find_by_clip(work: Work, clip_id: UUID) -> Submission | None:
    """The submission of a clip."""
    return (await work.session.exec(select(Submission).where(Submission.clip_id == clip_id))).one_or_none()


async def find_by_recordings(work: Work, recording_ids: Sequence[UUID]) -> list[Submission]:
    """Submissions of these recordings, oldest first."""
    query = select(Submission).where(col(Submission.recording_id).in_(recording_ids))
    return list((await work.session.exec(query.order_by(col(Submission.created_at)))).all())


async def comments_of(work: Work, submission_id: UUID) -> list[tuple[Comment, Person]]:
    """Comments with their authors, oldest first."""
    query = (
        select(Comment, Person)
        .join(Person, col(Person.id) == col(Comment.author_id))
        .where(Comment.submission_id == submission_id)
        .order_by(col(Comment.created_at))
    )
    return [(row[0], row[1]) for row in (await work.session.exec(query)).all()]


async def verdicts_of(work: Work, submission_id: UUID) -> list[tuple[Verdict, Person]]:
    """Verdicts with their reviewers, oldest first."""
    query = (
        select(Verdict, Person)
        .join(Person, col(Person.id) == col(Verdict.reviewer_id))
        .where(Verdict.submission_id == submission_id)
        .order_by(col(Verdict.created_at))
    )
    return [(row[0], row[1]) for row in (await work.session.exec(query)).all()]
