"""States of a recording and the allowed steps."""

from __future__ import annotations

from enum import StrEnum

from infra.states import step


class RecordingState(StrEnum):
    """Where a recording stands."""

    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


NEXT: dict[RecordingState, frozenset[RecordingState]] = {
    RecordingState.UPLOADING: frozenset({RecordingState.UPLOADED, RecordingState.DELETED}),
    RecordingState.UPLOADED: frozenset({RecordingState.PROCESSING, RecordingState.FAILED, RecordingState.DELETED}),
    RecordingState.PROCESSING: frozenset({RecordingState.READY, RecordingState.FAILED, RecordingState.DELETED}),
    RecordingState.READY: frozenset({RecordingState.DELETED}),
    RecordingState.FAILED: frozenset({RecordingState.PROCESSING, RecordingState.DELETED}),
    RecordingState.DELETED: frozenset(),
}


def recording_step(now: RecordingState, to: RecordingState) -> RecordingState:
    """Take one step, or raise WrongState."""
    return step(NEXT, now, to, what="recording")
