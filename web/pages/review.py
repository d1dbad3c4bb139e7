"""The review queue and the workspace of one submission."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from accounts.models import Person
from accounts.permissions import Action, can, require
from api.dependencies import ServicesDep, WorkDep
from api.schemas import media_url
from capture import service as capture
from infra.database import Silence, Work
from infra.errors import InvalidInput, LorecastError, WrongState
from review import service
from review.service import OPEN, SubmissionView
from review.states import Decision
from web import views
from web.pages import spoken
from web.pages.shell import PagesDep, SignedInDep, chapters, first_url, see_other, shell, sources

router = APIRouter(prefix="/review")
_FLAGS = {
    "no_speech": "No speech",
    "uncertain": "Uncertain words",
    "removed": "Removed text",
    "captions": "Captions hard to read",
}


@router.get("")
async def queue(request: Request, person: SignedInDep, work: WorkDep, pages: PagesDep) -> Response:
    """What waits, longest first."""
    require(person, Action.REVIEW)
    waiting = await service.list_submissions(work, person=person)
    files = await capture.files_of(work, [view.clip.id for view in waiting])
    posters = {file.clip_id: media_url(file) for file in files if file.kind == "poster"}
    items = tuple(
        views.QueueItem(
            url=f"/review/{view.submission.id}",
            title=view.recording.title,
            owner_name=view.owner.name,
            duration_s=view.clip.duration_s,
            waiting_since=view.submission.created_at,
            flags=_flags(view),
            own=view.owner.id == person.id,
            poster_url=posters.get(view.clip.id),
        )
        for view in waiting
    )
    return pages.render(views.QueuePage(items=items), await shell(request, work, person, "review"))


@router.get("/{submission_id}")
async def show_submission(
    submission_id: UUID,
    request: Request,
    person: SignedInDep,
    work: WorkDep,
    pages: PagesDep,
    t: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
) -> Response:
    """One submission with all that a verdict needs."""
    found = await service.get_submission(work, person=person, submission_id=submission_id)
    view = await _view(work, person, found, start_s=t)
    return pages.render(view, await shell(request, work, person, "review"))


async def _view(
    work: Work, person: Person, found: SubmissionView, *, start_s: float = 0.0, error: str | None = None, text: str = ""
) -> views.SubmissionPage:
    files = await capture.files_of(work, [found.clip.id])
    page = f"/review/{found.submission.id}"
    parts = chapters(found.clip, page)
    comments = await service.comments_of(work, person=person, submission_id=found.submission.id)
    return views.SubmissionPage(
        url=page,
        title=found.recording.title,
        owner_name=found.owner.name,
        waiting_since=found.submission.created_at,
        duration_s=found.clip.duration_s,
        digest=found.digest,
        sources=sources(files),
        chapters=parts,
        sentences=spoken.reviewed_sentences_of(found.clip, parts, page),
        comments=tuple(views.Comment(author.name, said.text, said.created_at, said.at_s) for said, author in comments),
        flags=_flags(found),
        language=found.clip.language or "en",
        poster_url=first_url(files, "poster"),
        captions_url=f"/api/v1/clips/{found.clip.id}/captions.vtt" if found.clip.captions else None,
        storyboard_vtt_url=first_url(files, "storyboard_vtt"),
        start_s=start_s,
        closed=_closed(person, found),
        error=error,
        text=text,
        left=max(0, len(await service.list_submissions(work, person=person)) - 1),
    )


def _flags(found: SubmissionView) -> tuple[str, ...]:
    codes = dict.fromkeys(doubt["code"] for doubt in found.submission.doubts)
    return tuple(_FLAGS.get(code, code) for code in codes)


def _closed(person: Person, found: SubmissionView) -> str | None:
    """Why this person cannot decide, or None when they can."""
    if found.submission.state not in OPEN:
        return f"This was decided: {found.submission.state.replace('_', ' ')}."
    if found.owner.id == person.id:
        return "You recorded this, so somebody else decides."
    if not can(person, Action.JUDGE, owner_id=found.owner.id):
        return "Reviewers decide about this."
    return None


@router.post("/{submission_id}/verdict")
async def decide(
    submission_id: UUID,
    request: Request,
    person: SignedInDep,
    services: ServicesDep,
    pages: PagesDep,
    decision: Annotated[Decision, Form()],
    digest: Annotated[str, Form()],
    text: Annotated[str, Form()] = "",
) -> Response:
    """Decide, then go on with the next one. A refusal shows the page again, with what was typed."""
    try:
        async with services.database.work(services.bell) as work:
            await service.decide(
                work, person=person, submission_id=submission_id, decision=decision, digest=digest, text=text
            )
            waiting = await service.list_submissions(work, person=person)
    except (InvalidInput, WrongState) as refused:
        return await _refused(refused, submission_id, request, person, services, pages, text)
    others = [view for view in waiting if view.submission.id != submission_id and view.owner.id != person.id]
    return see_other(f"/review/{others[0].submission.id}" if others else "/review")


async def _refused(
    refused: LorecastError,
    submission_id: UUID,
    request: Request,
    person: Person,
    services: ServicesDep,
    pages: PagesDep,
    text: str,
) -> Response:
    async with services.database.work(Silence()) as work:
        found = await service.get_submission(work, person=person, submission_id=submission_id)
        view = await _view(work, person, found, error=refused.sentence, text=text)
        around = await shell(request, work, person, "review")
    return pages.render(view, around, status=refused.status)


@router.post("/{submission_id}/comments")
async def comment(
    submission_id: UUID,
    person: SignedInDep,
    work: WorkDep,
    text: Annotated[str, Form()],
    at_s: Annotated[str, Form()] = "",
) -> Response:
    """Say something, at a moment or about all of it."""
    try:
        moment = float(at_s) if at_s.strip() else None
    except ValueError as error:
        raise InvalidInput("The moment must be a number of seconds. Nothing was saved.", code="comment.at") from error
    await service.comment(work, person=person, submission_id=submission_id, text=text, at_s=moment)
    return see_other(f"/review/{submission_id}")
