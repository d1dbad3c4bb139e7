"""Review: what waits for a verdict, comments, and verdicts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import PersonDep, WorkDep
from api.schemas import CommentOut, SubmissionOut
from review import service
from review.states import Decision, SubmissionState

router = APIRouter(prefix="/api/v1/submissions", tags=["review"])


class VerdictIn(BaseModel):
    """A decision about exactly what was seen."""

    decision: Decision
    digest: str = Field(min_length=64, max_length=64)
    text: str = Field("", max_length=service.TEXT_CHARACTERS)


class CommentIn(BaseModel):
    """Something to say, at a moment or about all of it."""

    text: str = Field(max_length=service.TEXT_CHARACTERS)
    at_s: float | None = Field(None, ge=0, allow_inf_nan=False)


@router.get("")
async def list_submissions(
    person: PersonDep,
    work: WorkDep,
    state: Annotated[list[SubmissionState] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[SubmissionOut]:
    """What waits, longest first; one's own only, unless one reviews."""
    found = await service.list_submissions(work, person=person, states=state or service.OPEN, limit=limit)
    return [SubmissionOut.of(view) for view in found]


@router.get("/{submission_id}")
async def get_submission(submission_id: UUID, person: PersonDep, work: WorkDep) -> SubmissionOut:
    """One submission."""
    return SubmissionOut.of(await service.get_submission(work, person=person, submission_id=submission_id))


@router.post("/{submission_id}/verdict")
async def decide(submission_id: UUID, verdict: VerdictIn, person: PersonDep, work: WorkDep) -> SubmissionOut:
    """Approve, ask for changes, or reject."""
    decided = await service.decide(
        work,
        person=person,
        submission_id=submission_id,
        decision=verdict.decision,
        digest=verdict.digest,
        text=verdict.text,
    )
    return SubmissionOut.of(decided)


@router.get("/{submission_id}/comments")
async def list_comments(submission_id: UUID, person: PersonDep, work: WorkDep) -> list[CommentOut]:
    """What was said, oldest first."""
    found = await service.comments_of(work, person=person, submission_id=submission_id)
    return [CommentOut.of(comment, author.name) for comment, author in found]


@router.post("/{submission_id}/comments", status_code=201)
async def comment(submission_id: UUID, said: CommentIn, person: PersonDep, work: WorkDep) -> CommentOut:
    """Say something."""
    made = await service.comment(work, person=person, submission_id=submission_id, text=said.text, at_s=said.at_s)
    return CommentOut.of(made, person.name)
