"""What stands around every page, and how rows become views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from accounts.models import Person
from accounts.permissions import Action, can
from api.dependencies import MaybePersonDep, WorkDep
from api.schemas import RecordingOut, media_url
from capture.models import Clip, ClipFile
from capture.states import RecordingState
from infra.errors import LorecastError
from infra.ledger import StageState
from learn.models import Lesson
from learn.service import lesson_url
from review import service as review
from review.states import SubmissionState
from web import views
from web.templating import Pages

Nav = Literal["", "home", "recordings", "upload", "review", "people", "work"]


class SignInFirst(LorecastError):
    """Nobody is signed in: show the sign-in page instead."""

    status = 401
    default_code = "unauthenticated"


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


def _signed_in(person: MaybePersonDep) -> Person:
    if person is None:
        raise SignInFirst("Please sign in.")
    return person


PagesDep = Annotated[Pages, Depends(_pages)]
SignedInDep = Annotated[Person, Depends(_signed_in)]


async def shell(request: Request, work: WorkDep | None, person: Person | None, nav: Nav, *, q: str = "") -> views.Shell:
    """The frame of a page for this person; the number of waiting submissions for those who review."""
    theme = request.cookies.get("theme")
    waiting = 0
    if work is not None and person is not None and can(person, Action.REVIEW):
        waiting = len(await review.list_submissions(work, person=person, limit=100))
    return views.Shell(
        person=as_person(person) if person else None,
        nav=nav,
        waiting_count=waiting,
        theme="light" if theme == "light" else "dark" if theme == "dark" else None,
        q=q,
    )


def see_other(address: str) -> RedirectResponse:
    """Go on with a GET after a form."""
    return RedirectResponse(address, status_code=303)


def as_person(person: Person) -> views.Person:
    """Who is signed in."""
    return views.Person(name=person.name, email=person.email, role=person.role.value)


def sources(files: Sequence[ClipFile]) -> tuple[views.Source, ...]:
    """Renditions that play: the made ones by height, and a copy of the source only until they are there.

    A made rendition has its loudness set and is lighter on the line, so it comes first.
    """
    videos = [file for file in files if file.kind == "video"]
    made = [file for file in videos if file.name != "source.mp4"] or videos
    return tuple(
        views.Source(media_url(file), file.width or 0, file.height or 0, file.media_type)
        for file in sorted(made, key=lambda file: -(file.height or 0))
    )


def first_url(files: Sequence[ClipFile], kind: str) -> str | None:
    """Address of the file of this kind, if there is one."""
    return next((media_url(file) for file in files if file.kind == kind), None)


def chapters(clip: Clip, page: str) -> tuple[views.Chapter, ...]:
    """Chapters with the address of their start on this page."""
    return tuple(
        views.Chapter(one["start_s"], one["end_s"], one["title"], f"{page}?t={one['start_s']:g}")
        for one in clip.chapters or []
    )


def chapter_index(found: Sequence[views.Chapter], at_s: float) -> int:
    """Number of the chapter that holds this second, from 0."""
    return max((index for index, chapter in enumerate(found) if chapter.start_s <= at_s + 0.05), default=0)


def status(recording: RecordingOut, lesson: Lesson | None) -> views.Status:
    """Where a recording stands, in the one word its expert cares about."""
    if recording.state is RecordingState.FAILED:
        return "failed"
    if recording.state is RecordingState.UPLOADING:
        return "uploading"
    if lesson is not None:
        return "published"
    decided: dict[SubmissionState, views.Status] = {
        SubmissionState.WAITING: "waiting",
        SubmissionState.IN_REVIEW: "in_review",
        SubmissionState.CHANGES_REQUESTED: "changes_requested",
        SubmissionState.REJECTED: "rejected",
        SubmissionState.WITHDRAWN: "withdrawn",
    }
    if recording.submission_state is None:
        return "processing"
    return decided.get(recording.submission_state, "processing")


def card(recording: RecordingOut, lesson: Lesson | None, note: str | None = None) -> views.RecordingCard:
    """A recording in a list."""
    files = recording.clip.files if recording.clip else []
    return views.RecordingCard(
        id=str(recording.id),
        url=f"/recordings/{recording.id}",
        title=recording.title,
        status=status(recording, lesson),
        state=recording.state.value,
        changed_at=last_change(recording),
        duration_s=recording.duration_s,
        poster_url=next((file.url for file in files if file.kind == "poster"), None),
        stages=tuple(
            views.Stage(
                stage.name,
                stage.state.value,
                stage.progress if stage.state is StageState.RUNNING else None,
                stage.error.sentence if stage.error and stage.state is not StageState.DONE else None,
            )
            for stage in recording.stages
        ),
        error=recording.failure.sentence if recording.failure else None,
        note=note,
        can_retry=recording.state is RecordingState.FAILED,
        lesson_url=lesson_url(lesson.slug) if lesson else None,
    )


def last_change(recording: RecordingOut) -> datetime:
    """When something last became true of a recording."""
    known: list[datetime] = [at for _, at in recording.timings if at is not None]
    return max([recording.created_at, *known]).astimezone(UTC)


def sign_in_address(request: Request) -> str:
    """The sign-in page, which leads back to where one wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(wanted, safe='')}" if wanted != "/" else "/sign-in"
