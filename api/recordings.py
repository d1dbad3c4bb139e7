"""Gathers all that the API says about recordings, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence

from api.schemas import RecordingOut
from capture import service as capture
from capture.models import Recording
from infra import ledger
from infra.database import Work
from review import service as review


async def describe(work: Work, recording: Recording) -> RecordingOut:
    """One recording with its stages, clip, files and submission."""
    return (await describe_all(work, [recording]))[0]


async def describe_all(work: Work, recordings: Sequence[Recording]) -> list[RecordingOut]:
    """Recordings with their stages, clips, files and submissions, in the same order."""
    ids = [recording.id for recording in recordings]
    await work.session.flush()
    runs = await ledger.runs_of(work, ids)
    clips = await capture.clips_of(work, recordings)
    files = await capture.files_of(work, [clip.id for clip in clips.values()])
    submissions = await review.submissions_of(work, recording_ids=ids)
    return [
        RecordingOut.of(recording, runs, clips.get(recording.id), files, submissions.get(recording.id))
        for recording in recordings
    ]
