"""The verbs of capture: what an expert does with recordings, and what workers write down about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from accounts.models import Person
from accounts.permissions import Action, can, require
from capture import repository
from capture.models import Clip, ClipFile, Recording
from capture.states import RecordingState, recording_step
from infra import ledger
from infra.database import Work, utc_now
from infra.errors import NotFound, WrongState
from infra.tracing import current_trace

# The stage every recording starts with; the rest of the graph is in workers/pipeline.py.
FIRST_STAGE = "probe"
# Expected cost of the first stage in seconds: it only reads headers.
_FIRST_STAGE_COST_S = 1.0


async def list_recordings(work: Work, *, person: Person, limit: int = 50) -> list[Recording]:
    """What this person recorded, newest first."""
    return await repository.list_recordings(work, owner_id=person.id, limit=limit)


async def get_recording(work: Work, *, person: Person, recording_id: UUID) -> Recording:
    """One recording, for its owner and for those who may read others'. Raises NotFound."""
    found = await repository.get_recording(work, recording_id)
    _hide_unless_readable(person, found)
    return found


async def get_uploaded_recording(work: Work, *, person: Person, recording_id: UUID) -> Recording:
    """One recording whose bytes have all come. Raises NotFound, WrongState."""
    found = await get_recording(work, person=person, recording_id=recording_id)
    if found.uploaded_at is None:
        raise WrongState("This recording is still being uploaded.", code="recording.still_uploading")
    return found


async def get_clip(work: Work, *, person: Person, clip_id: UUID) -> tuple[Clip, Recording]:
    """A clip that is not published, for its owner and its reviewers. Raises NotFound."""
    clip, recording = await repository.get_clip(work, clip_id)
    if not can(person, Action.READ_RECORDING, owner_id=recording.owner_id):
        raise repository.no_such_clip()
    return clip, recording


async def get_published_clip(work: Work, clip_id: UUID) -> Clip:
    """A clip that a lesson shows; the caller has checked that it does. Raises NotFound."""
    clip, _ = await repository.get_clip(work, clip_id)
    return clip


def _hide_unless_readable(person: Person, recording: Recording) -> None:
    if not can(person, Action.READ_RECORDING, owner_id=recording.owner_id):
        raise NotFound("There is no such recording, or it is not yours.", code="recording.not_found")


async def retry_recording(work: Work, *, person: Person, recording_id: UUID) -> Recording:
    """Run what failed again. Raises NotFound, WrongState."""
    recording = await repository.get_recording(work, recording_id, lock=True)
    _hide_unless_readable(person, recording)
    require(person, Action.CHANGE_RECORDING, owner_id=recording.owner_id)
    if recording.state is not RecordingState.FAILED:
        raise WrongState("Nothing has failed here. Nothing was changed.", code="recording.wrong_state")
    recording.state = recording_step(recording.state, RecordingState.PROCESSING)
    recording.failure_code = recording.failure_text = None
    recording.changed_at = utc_now()
    await ledger.run_again(work, recording.id)
    return recording


async def rerun_failed_stages(work: Work, *, person: Person, recording_id: UUID) -> None:
    """Run failed, dead or cancelled stages again, whatever became of the recording. For administrators."""
    require(person, Action.ADMINISTER)
    recording = await repository.get_recording(work, recording_id, lock=True)
    if recording.state is RecordingState.FAILED:
        await retry_recording(work, person=person, recording_id=recording_id)
    else:
        await ledger.run_again(work, recording.id)


async def cancel_processing(work: Work, *, person: Person, recording_id: UUID) -> None:
    """End what waits or runs for a recording; it can be run again. For administrators."""
    require(person, Action.ADMINISTER)
    await repository.get_recording(work, recording_id, lock=True)
    await ledger.cancel(work, recording_id)
    sentence = "An administrator stopped the work on this recording. It is safe, and can be run again."
    await note_failure(work, recording_id, code="work.cancelled", sentence=sentence)


async def delete_recording(work: Work, *, person: Person, recording_id: UUID) -> None:
    """Take a recording away; it is kept for 30 days. Raises NotFound, WrongState, Forbidden."""
    recording = await repository.get_recording(work, recording_id, lock=True)
    _hide_unless_readable(person, recording)
    require(person, Action.CHANGE_RECORDING, owner_id=recording.owner_id)
    recording.state = recording_step(recording.state, RecordingState.DELETED)
    recording.deleted_at = recording.changed_at = utc_now()
    await ledger.cancel(work, recording.id)


async def begin_processing(work: Work, recording: Recording) -> None:
    """The last byte is safe: write down the first stage."""
    recording.state = recording_step(recording.state, RecordingState.UPLOADED)
    recording.uploaded_at = recording.changed_at = utc_now()
    first = {FIRST_STAGE: _FIRST_STAGE_COST_S}
    await ledger.require(work, recording.id, recording.version, first, trace=current_trace())


# What workers write down. The fence has been checked before any of these is called.


async def recording_to_process(work: Work, recording_id: UUID, *, lock: bool = False) -> Recording:
    """The recording a stage works on. Raises NotFound when it was deleted meanwhile.

    Whoever changes a recording and its stage runs locks the recording first.
    """
    return await repository.get_recording(work, recording_id, lock=lock)


async def lock_recording(work: Work, recording_id: UUID) -> bool:
    """Lock a recording; False when it was deleted."""
    try:
        await repository.get_recording(work, recording_id, lock=True)
    except NotFound:
        return False
    return True


async def clip_to_process(work: Work, recording_id: UUID, version: int) -> Clip:
    """The clip a stage works on. Raises NotFound before it was probed."""
    clip = await repository.find_clip(work, recording_id, version)
    if clip is None:
        raise NotFound("This recording was not looked at yet.", code="clip.not_found")
    return clip


async def note_probe(work: Work, recording_id: UUID, *, sha256: str, duration_s: float, probe: dict[str, Any]) -> Clip:
    """Store what the probe found and open the clip."""
    recording = await repository.get_recording(work, recording_id, lock=True)
    recording.sha256, recording.duration_s, recording.probe = sha256, duration_s, probe
    if recording.state is not RecordingState.PROCESSING:
        recording.state = recording_step(recording.state, RecordingState.PROCESSING)
    recording.changed_at = utc_now()
    clip = await repository.find_clip(work, recording_id, recording.version)
    if clip is None:
        clip = Clip(recording_id=recording_id, version=recording.version, duration_s=duration_s)
        work.session.add(clip)
    return clip


async def add_files(work: Work, clip_id: UUID, files: Sequence[ClipFile]) -> None:
    """Publish files of a clip; a name that exists is replaced. The first video makes the recording playable."""
    for file in files:
        await work.session.merge(file)
    if any(file.kind == "video" for file in files):
        clip, found = await repository.get_clip(work, clip_id)
        recording = await repository.get_recording(work, clip.recording_id, lock=True)
        recording.playable_at = found.playable_at or utc_now()
        recording.changed_at = utc_now()


async def note_transcript(
    work: Work,
    recording_id: UUID,
    version: int,
    *,
    transcript: dict[str, Any],
    language: str | None,
    captions: str,
    findings: list[dict[str, Any]],
) -> None:
    """Store what is said in a clip. Shapes: workers/language/records.py and captions.py."""
    clip = await clip_to_process(work, recording_id, version)
    clip.transcript, clip.language = transcript, language
    clip.captions, clip.caption_findings = captions, findings
    recording = await repository.get_recording(work, recording_id, lock=True)
    recording.transcribed_at = recording.changed_at = utc_now()


async def note_chapters(work: Work, recording_id: UUID, version: int, *, chapters: list[dict[str, Any]]) -> None:
    """Store the chapters of a clip."""
    clip = await clip_to_process(work, recording_id, version)
    clip.chapters = chapters


async def note_scenes(work: Work, recording_id: UUID, version: int, *, scene_changes_s: list[float]) -> None:
    """Store when the picture changed."""
    clip = await clip_to_process(work, recording_id, version)
    clip.scene_changes_s = scene_changes_s


async def note_in_review(work: Work, recording_id: UUID) -> None:
    """The clip waits for a verdict."""
    recording = await repository.get_recording(work, recording_id, lock=True)
    recording.in_review_at = recording.changed_at = utc_now()


async def note_complete(work: Work, recording_id: UUID) -> None:
    """Every stage of the recording is done."""
    recording = await repository.get_recording(work, recording_id, lock=True)
    if recording.state is RecordingState.PROCESSING:
        recording.state = recording_step(recording.state, RecordingState.READY)
        recording.complete_at = recording.changed_at = utc_now()


async def note_failure(work: Work, recording_id: UUID, *, code: str, sentence: str) -> None:
    """A stage ended for good: say why. A recording that is ready or deleted stays so."""
    try:
        recording = await repository.get_recording(work, recording_id, lock=True)
    except NotFound:
        return
    if recording.state in {RecordingState.UPLOADED, RecordingState.PROCESSING}:
        recording.state = recording_step(recording.state, RecordingState.FAILED)
        recording.failure_code, recording.failure_text = code, sentence
        recording.changed_at = utc_now()


async def fail_stuck_recordings(work: Work) -> int:
    """Mark recordings failed whose stage can never succeed by itself; returns how many.

    A stage that dies with its worker leaves no one to say so, hence this look from outside.
    """
    stuck = await repository.stuck_recordings(work)
    for recording_id, code, sentence in stuck:
        await note_failure(work, recording_id, code=code, sentence=sentence)
    return len(stuck)


# What the doors and later features read.


async def clips_of(work: Work, recordings: Sequence[Recording]) -> dict[UUID, Clip]:
    """The newest clip of each recording, by recording id."""
    return await repository.clips_of(work, recordings)


async def files_of(work: Work, clip_ids: Sequence[UUID]) -> list[ClipFile]:
    """Every file of these clips, widest video first."""
    return await repository.files_of(work, clip_ids)


async def get_file(work: Work, clip_id: UUID, name: str) -> ClipFile:
    """One file of a clip by its public name; the caller has checked who may see the clip. Raises NotFound."""
    found = await repository.find_file(work, clip_id, name) if name.isprintable() else None
    if found is None:
        raise NotFound("There is no such file in this clip.", code="clip.no_file")
    return found


async def titles_of(work: Work, recording_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Titles by recording id; deleted recordings are left out."""
    return await repository.titles_of(work, recording_ids)
