"""One's own recordings, one of them live, and the upload form."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from accounts.models import Person
from accounts.permissions import Action, can
from api.dependencies import ServicesDep, WorkDep
from api.recordings import describe, describe_all
from api.schemas import RecordingOut
from capture import service as capture
from capture.models import Recording
from infra.database import Work
from learn import service as learn
from review import service as review
from review.states import Decision
from web import views
from web.pages import spoken
from web.pages.shell import PagesDep, SignedInDep, card, chapters, see_other, shell, sources

router = APIRouter()
_LANGUAGES = (
    ("", "Find out by itself"), ("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"),
    ("it", "Italiano"), ("nl", "Nederlands"), ("pl", "Polski"), ("pt", "Português"), ("tr", "Türkçe"),
    ("uk", "Українська"),
)  # fmt: skip


@router.get("/recordings")
async def list_recordings(request: Request, person: SignedInDep, work: WorkDep, pages: PagesDep) -> Response:
    """One's own recordings, newest first."""
    recordings = await capture.list_recordings(work, person=person, limit=100)
    described = await describe_all(work, recordings)
    lessons = await learn.lessons_of_recordings(work, [recording.id for recording in recordings])
    cards = tuple(card(one, lessons.get(one.id)) for one in described)
    return pages.render(views.RecordingsPage(recordings=cards), await shell(request, work, person, "recordings"))


@router.get("/recordings/{recording_id}")
async def show_recording(
    recording_id: UUID, request: Request, person: SignedInDep, work: WorkDep, pages: PagesDep
) -> Response:
    """One recording: how far it is, and what there is of it already."""
    recording = await capture.get_recording(work, person=person, recording_id=recording_id)
    view = await _view(work, person, recording)
    return pages.render(view, await shell(request, work, person, "recordings"))


async def _view(work: Work, person: Person, recording: Recording) -> views.RecordingPage:
    described = await describe(work, recording)
    lessons = await learn.lessons_of_recordings(work, [recording.id])
    clip = (await capture.clips_of(work, [recording])).get(recording.id)
    page = f"/recordings/{recording.id}"
    found = chapters(clip, page) if clip else ()
    return views.RecordingPage(
        card=card(described, lessons.get(recording.id), await _note(work, person, described)),
        size_bytes=recording.size_bytes,
        sources=sources(await capture.files_of(work, [clip.id])) if clip else (),
        captions_url=f"/api/v1/clips/{clip.id}/captions.vtt" if clip and clip.captions else None,
        chapters=found,
        sentences=spoken.sentences_of(clip, found, page) if clip else (),
        timings=_timings(described),
        original_url=f"/api/v1/recordings/{recording.id}/original" if recording.uploaded_at else None,
        can_delete=can(person, Action.CHANGE_RECORDING, owner_id=recording.owner_id),
    )


async def _note(work: Work, person: Person, recording: RecordingOut) -> str | None:
    """What the last reviewer asked for."""
    if recording.submission_id is None:
        return None
    verdicts = await review.verdicts_of(work, person=person, submission_id=recording.submission_id)
    said = [verdict.text for verdict, _ in verdicts if verdict.decision != Decision.APPROVE]
    return said[-1] if said else None


def _timings(recording: RecordingOut) -> tuple[views.Timing, ...]:
    times = recording.timings
    if times.uploaded_at is None:
        return ()
    steps = (
        ("Playable", times.playable_at),
        ("Transcribed", times.transcribed_at),
        ("In review", times.in_review_at),
        ("Complete", times.complete_at),
    )
    known = [(label, at) for label, at in steps if at is not None]
    return tuple(views.Timing(label, (at - times.uploaded_at).total_seconds()) for label, at in known)


@router.post("/recordings/{recording_id}/retry")
async def retry(recording_id: UUID, person: SignedInDep, work: WorkDep) -> Response:
    """Run what failed again."""
    await capture.retry_recording(work, person=person, recording_id=recording_id)
    return see_other(f"/recordings/{recording_id}")


@router.post("/recordings/{recording_id}/delete")
async def delete(recording_id: UUID, person: SignedInDep, work: WorkDep) -> Response:
    """Take a recording away."""
    await capture.delete_recording(work, person=person, recording_id=recording_id)
    return see_other("/recordings")


@router.get("/upload")
async def upload(
    request: Request, person: SignedInDep, work: WorkDep, services: ServicesDep, pages: PagesDep
) -> Response:
    """The upload form."""
    view = views.UploadPage(max_size_bytes=services.uploads.max_upload_bytes, languages=_LANGUAGES)
    return pages.render(view, await shell(request, work, person, "upload"))
