"""Search, lessons, and requests for what is missing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.dependencies import PersonDep, ServicesDep, WorkDep
from learn import service
from learn.schemas import Answer, LessonPage, LessonSummary, LessonWish
from learn.search import LIMIT, search

router = APIRouter(prefix="/api/v1", tags=["learn"])


class WishIn(BaseModel):
    """What somebody looked for and did not find."""

    query: str = Field(max_length=10_000, description="at most 500 characters after blanks are removed")


@router.get("/search")
async def find(
    person: PersonDep,
    work: WorkDep,
    services: ServicesDep,
    q: Annotated[str, Query(description="words or a question, at most 500 characters")],
    limit: Annotated[int, Query(ge=1, le=LIMIT)] = 10,
) -> Answer:
    """The moments that answer, best first, grouped by lesson, at most three each; `answered` is false when none do."""
    return await search(work, services.embedder, person=person, query=q, limit=limit)


@router.get("/lessons")
async def list_lessons(
    person: PersonDep,
    work: WorkDep,
    limit: Annotated[int, Query(ge=1, le=service.PAGE)] = 50,
    before: Annotated[AwareDatetime | None, Query(description="`published_at` of the last one you have")] = None,
) -> list[LessonSummary]:
    """Lessons, newest first."""
    return await service.list_lessons(work, person=person, limit=limit, before=before)


@router.get("/lessons/{slug}")
async def get_lesson(slug: str, person: PersonDep, work: WorkDep) -> LessonPage:
    """One lesson with its chapters; its transcript and media hang on `clip_id`."""
    return await service.get_lesson(work, person=person, slug=slug)


@router.post("/requests", status_code=201)
async def request_lesson(wish: WishIn, person: PersonDep, work: WorkDep) -> LessonWish:
    """Ask for a lesson that is missing. Asking twice for the same changes nothing."""
    return await service.request_lesson(work, person=person, query=wish.query)
