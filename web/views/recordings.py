"""What experts see: their recordings, one of them, the upload form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from web.views.page import Chapter, Page, Sentence, Source, StageState, Status


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of work. `progress` from 0 to 1, or None when it cannot be known; `error` a sentence."""

    name: str
    state: StageState
    progress: float | None = None
    error: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RecordingCard:
    """A recording in a list. `error` is the sentence for its expert; `note` what a reviewer asked for.

    `status` is what a person is told; `state` the recording's own state, as the live stream sends it.
    """

    id: str
    url: str
    title: str
    status: Status
    state: str
    changed_at: datetime
    duration_s: float | None = None
    poster_url: str | None = None
    stages: tuple[Stage, ...] = ()
    error: str | None = None
    note: str | None = None
    can_retry: bool = False
    lesson_url: str | None = None

    @property
    def working(self) -> bool:
        """Tell whether something still happens by itself."""
        return self.status in {"uploading", "processing"}


@dataclass(frozen=True, slots=True)
class RecordingsPage(Page):
    """One's own recordings, newest first."""

    template: ClassVar[str] = "recordings.html"
    recordings: tuple[RecordingCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """A step that is behind us: what, and how many seconds after the last byte."""

    label: str
    after_s: float


@dataclass(frozen=True, slots=True)
class RecordingPage(Page):
    """One recording, live. `sources` is empty until the first playable rendition is there."""

    template: ClassVar[str] = "recording.html"
    card: RecordingCard
    size_bytes: int
    file_name: str = ""
    sources: tuple[Source, ...] = ()
    captions_url: str | None = None
    chapters: tuple[Chapter, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    timings: tuple[Timing, ...] = ()
    original_url: str | None = None
    can_delete: bool = True


@dataclass(frozen=True, slots=True)
class UploadPage(Page):
    """The upload form. `endpoint` is the tus creation address; `languages` are (code, name)."""

    template: ClassVar[str] = "upload.html"
    max_size_bytes: int
    endpoint: str = "/api/v1/uploads"
    languages: tuple[tuple[str, str], ...] = (("", "Find out by itself"),)
