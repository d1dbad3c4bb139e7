"""Lessons, search, and asking for what is missing."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from api.dependencies import ServicesDep, WorkDep
from capture import service as capture
from infra.database import Work
from infra.errors import InvalidInput
from learn import service as learn
from learn.schemas import Answer, Hit
from learn.search import search as find
from web import htmx, views
from web.pages import spoken
from web.pages.home import examples
from web.pages.shell import PagesDep, SignedInDep, chapters, first_url, see_other, shell, sources

router = APIRouter()
_HITS = 12


@router.get("/search")
async def search(
    request: Request,
    person: SignedInDep,
    work: WorkDep,
    services: ServicesDep,
    pages: PagesDep,
    q: str = "",
    asked: bool = False,
) -> Response:
    """Lessons that answer; the page's script asks for the results alone."""
    answer, error = None, None
    if q.strip():
        try:
            found = await find(work, services.embedder, person=person, query=q, limit=_HITS)
            answer = await _answer(work, found)
        except InvalidInput as refused:
            error = refused.sentence
    view = views.SearchPage(q=q.strip(), answer=answer, error=error, asked=asked, examples=await examples(work))
    block = "results" if htmx.wants_fragment(request) else None
    return pages.render(view, await shell(request, work, person, "", q=q.strip()), block=block)


async def _answer(work: Work, found: Answer) -> views.Answer:
    hits = found.hits if found.answered else found.nearest
    by_lesson: dict[str, list[Hit]] = {}
    for hit in hits:
        by_lesson.setdefault(hit.lesson.slug, []).append(hit)
    cards = await learn.cards_of(work, slugs=list(by_lesson))
    return views.Answer(
        answered=found.answered,
        hits=tuple(
            views.LessonHit(
                title=cards[slug].title,
                url=cards[slug].url,
                duration_s=cards[slug].duration_s,
                owner_name=cards[slug].owner,
                poster_url=cards[slug].poster_url,
                moments=tuple(views.Moment(hit.url, hit.start_s, hit.text, hit.chapter_title) for hit in moments),
            )
            for slug, moments in by_lesson.items()
            if slug in cards
        ),
    )


@router.post("/requests")
async def ask_for(person: SignedInDep, work: WorkDep, q: Annotated[str, Form()]) -> Response:
    """Ask for a lesson that is missing."""
    await learn.request_lesson(work, person=person, query=q)
    return see_other(f"/search?{urlencode({'q': q, 'asked': 1})}")


@router.get("/lessons/{slug}")
async def show_lesson(
    slug: str,
    request: Request,
    person: SignedInDep,
    work: WorkDep,
    pages: PagesDep,
    t: Annotated[float, Query(allow_inf_nan=False)] = 0.0,
) -> Response:
    """A lesson; `?t=` starts it there."""
    lesson = await learn.get_lesson(work, person=person, slug=slug)
    clip = await capture.get_published_clip(work, lesson.clip_id)
    files = await capture.files_of(work, [clip.id])
    found = chapters(clip, lesson.url)
    start_s = min(max(t, 0.0), clip.duration_s)
    view = views.LessonPage(
        title=lesson.title,
        url=lesson.url,
        owner_name=lesson.owner,
        published_at=lesson.published_at,
        duration_s=clip.duration_s,
        sources=sources(files),
        chapters=found,
        sentences=spoken.sentences_of(clip, found, lesson.url),
        language=clip.language or "en",
        poster_url=first_url(files, "poster"),
        captions_url=f"/api/v1/clips/{clip.id}/captions.vtt" if clip.captions else None,
        storyboard_vtt_url=first_url(files, "storyboard_vtt"),
        start_s=start_s,
        plays="t" in request.query_params,
    )
    return pages.render(view, await shell(request, work, person, ""))
