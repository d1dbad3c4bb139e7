"""Tables of review: a submission, what was said about it, and the verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from infra.database import EnumText, UtcDateTime, utc_now
from review.states import Decision, SubmissionState


class Submission(SQLModel, table=True):
    """A clip waiting for a verdict."""

    __tablename__ = "submission"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    recording_id: UUID = Field(foreign_key="recording.id", index=True)
    clip_id: UUID = Field(foreign_key="clip.id", unique=True)
    owner_id: UUID = Field(foreign_key="person.id", index=True)
    state: SubmissionState = Field(default=SubmissionState.WAITING, sa_type=EnumText(SubmissionState), index=True)
    doubts: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, description="code, start_s and sentence of what to look at first"
    )
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Verdict(SQLModel, table=True):
    """A decision of one reviewer, bound to the digest of exactly what was seen."""

    __tablename__ = "verdict"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    submission_id: UUID = Field(foreign_key="submission.id", index=True)
    reviewer_id: UUID = Field(foreign_key="person.id")
    decision: Decision = Field(sa_type=EnumText(Decision))
    digest: str = Field(sa_type=Text)
    text: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Comment(SQLModel, table=True):
    """Something said about a submission, at a moment or about all of it."""

    __tablename__ = "comment"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    submission_id: UUID = Field(foreign_key="submission.id", index=True)
    author_id: UUID = Field(foreign_key="person.id")
    at_s: float | None = None
    text: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
