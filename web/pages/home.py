"""The first page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.dependencies import WorkDep
from api.recordings import describe_all
from capture import service as capture
from infra.database import Work
from learn import service as learn
from learn.schemas import LessonSummary
from web import views
from web.pages.shell import PagesDep, SignedInDep, card, shell

router = APIRouter()
_NEW = 12
_RECENT = 6


@router.get("/")
async def home(request: Request, person: SignedInDep, work: WorkDep, pages: PagesDep) -> Response:
    """A search field, what is new, and one's own recordings under way."""
    newest = await learn.list_lessons(work, person=person, limit=_NEW)
    recordings = await capture.list_recordings(work, person=person, limit=_RECENT)
    described = await describe_all(work, recordings)
    under_way = [one for one in (card(recording, None) for recording in described) if one.working]
    view = views.HomePage(
        examples=await examples(work),
        new=tuple(lesson_card(lesson) for lesson in newest),
        in_progress=tuple(under_way),
    )
    return pages.render(view, await shell(request, work, person, "home"))


async def examples(work: Work) -> tuple[str, ...]:
    """Questions that the newest lessons answer: the titles of their chapters."""
    return tuple(await learn.example_queries(work, limit=3))


def lesson_card(lesson: LessonSummary) -> views.LessonCard:
    """A lesson in a list."""
    return views.LessonCard(
        title=lesson.title,
        url=lesson.url,
        duration_s=lesson.duration_s,
        owner_name=lesson.owner,
        published_at=lesson.published_at,
        poster_url=lesson.poster_url,
    )
