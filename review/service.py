"""The verbs of review: submit, comment, decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Person
from accounts.permissions import Action, can, require
from capture import service as capture
from capture.models import Clip, Recording
from infra import ledger
from infra.database import Work, utc_now
from infra.errors import InvalidInput, NotFound, WrongState
from infra.tracing import current_trace
from review import repository
from review.digest import clip_digest
from review.doubts import doubts
from review.models import Comment, Submission, Verdict
from review.states import RESULT, Decision, SubmissionState, submission_step

# What follows an approval; the rest of the graph is in workers/pipeline.py.
FIRST_STAGE_AFTER_APPROVAL = "publish"
_PUBLISH_COST_S = 0.5
TEXT_CHARACTERS = 4000
OPEN = (SubmissionState.WAITING, SubmissionState.IN_REVIEW)


@dataclass(frozen=True)
class SubmissionView:
    """A submission with all that a reviewer needs, and the digest a verdict must name."""

    submission: Submission
    recording: Recording
    clip: Clip
    owner: Person
    digest: str


async def submit(work: Work, *, recording_id: UUID, version: int) -> Submission:
    """Put a clip into the queue. Doing it twice changes nothing."""
    clip = await capture.clip_to_process(work, recording_id, version)
    recording = await capture.recording_to_process(work, recording_id)
    found = await repository.find_by_clip(work, clip.id)
    if found is not None:
        return found
    submission = Submission(
        recording_id=recording_id,
        clip_id=clip.id,
        owner_id=recording.owner_id,
        doubts=doubts(clip.transcript or {}, clip.caption_findings or []),
    )
    work.session.add(submission)
    await capture.note_in_review(work, recording_id)
    return submission


async def list_submissions(
    work: Work, *, person: Person, states: Sequence[SubmissionState] = OPEN, limit: int = 100
) -> list[SubmissionView]:
    """Submissions this person may see: all for a reviewer, their own for everybody else."""
    owner_id = None if can(person, Action.REVIEW) else person.id
    rows = await repository.list_submissions(work, states=states, owner_id=owner_id, limit=limit)
    return [_view(row) for row in rows]


async def get_submission(work: Work, *, person: Person, submission_id: UUID) -> SubmissionView:
    """One submission, for reviewers and its owner. Raises NotFound."""
    view = _view(await repository.get_submission(work, submission_id))
    _hide_unless_readable(person, view.submission)
    return view


async def submissions_of(work: Work, *, recording_ids: Sequence[UUID]) -> dict[UUID, Submission]:
    """The newest submission of each recording, by recording id."""
    found = await repository.find_by_recordings(work, recording_ids)
    return {submission.recording_id: submission for submission in found}


async def comments_of(work: Work, *, person: Person, submission_id: UUID) -> list[tuple[Comment, Person]]:
    """What was said about a submission, oldest first. Raises NotFound."""
    await get_submission(work, person=person, submission_id=submission_id)
    return await repository.comments_of(work, submission_id)


async def verdicts_of(work: Work, *, person: Person, submission_id: UUID) -> list[tuple[Verdict, Person]]:
    """What was decided about a submission, oldest first. Raises NotFound."""
    await get_submission(work, person=person, submission_id=submission_id)
    return await repository.verdicts_of(work, submission_id)


async def comment(work: Work, *, person: Person, submission_id: UUID, text: str, at_s: float | None) -> Comment:
    """Say something about a submission, at a moment or about all of it. Raises NotFound, InvalidInput."""
    view = await get_submission(work, person=person, submission_id=submission_id)
    if at_s is not None and not 0 <= at_s <= view.clip.duration_s:
        raise InvalidInput("That moment is outside the clip. Nothing was saved.", code="comment.outside_clip")
    said = Comment(submission_id=submission_id, author_id=person.id, at_s=at_s, text=_text(text, needed=True))
    work.session.add(said)
    return said


async def decide(
    work: Work, *, person: Person, submission_id: UUID, decision: Decision, digest: str, text: str = ""
) -> SubmissionView:
    """Give a verdict for exactly what was seen.

    Raises NotFound; Forbidden (not a reviewer, or one's own recording); WrongState (decided already, or the clip is
    no longer what the digest says); InvalidInput (no reason given).
    """
    row = await repository.get_submission(work, submission_id, lock=True)
    view = _view(row)
    _hide_unless_readable(person, view.submission)
    require(person, Action.JUDGE, owner_id=view.submission.owner_id)
    new_state = submission_step(view.submission.state, RESULT[decision])
    if digest != view.digest:
        raise WrongState(
            "This clip has changed since you looked at it. Nothing was decided. Please look at it again.",
            code="submission.stale_digest",
        )
    reason = _text(text, needed=decision is not Decision.APPROVE)
    view.submission.state = new_state
    view.submission.changed_at = utc_now()
    verdict = Verdict(submission_id=submission_id, reviewer_id=person.id, decision=decision, digest=digest, text=reason)
    work.session.add(verdict)
    if decision is Decision.APPROVE:
        stages = {FIRST_STAGE_AFTER_APPROVAL: _PUBLISH_COST_S}
        await ledger.require(work, view.recording.id, view.clip.version, stages, trace=current_trace())
    return view


def _view(row: repository.Row) -> SubmissionView:
    submission, recording, clip, owner = row
    return SubmissionView(submission, recording, clip, owner, clip_digest(recording, clip))


def _hide_unless_readable(person: Person, submission: Submission) -> None:
    if not can(person, Action.REVIEW) and not can(person, Action.READ_RECORDING, owner_id=submission.owner_id):
        raise NotFound("There is no such submission, or it is not for you.", code="submission.not_found")


def _text(text: str, *, needed: bool) -> str:
    cleaned = text.replace("\x00", "").strip()
    if needed and not cleaned:
        raise InvalidInput("Please say why. Nothing was saved.", code="review.text_missing")
    if len(cleaned) > TEXT_CHARACTERS:
        raise InvalidInput(
            f"This text is longer than {TEXT_CHARACTERS} characters. Nothing was saved.", code="review.text_too_long"
        )
    return cleaned
