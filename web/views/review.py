"""What reviewers see: the queue and the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from web.views.page import Chapter, Page, Source

DOUBT = 0.5
"""Words recognised with a lower probability are underlined for the reviewer."""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A submission that waits. `flags` are short doubts ("No speech"); `own`: recorded by who looks."""

    url: str
    title: str
    owner_name: str
    duration_s: float
    waiting_since: datetime
    flags: tuple[str, ...] = ()
    claimed_by: str | None = None
    own: bool = False
    poster_url: str | None = None


@dataclass(frozen=True, slots=True)
class QueuePage(Page):
    """The review queue, longest waiting first."""

    template: ClassVar[str] = "review/queue.html"
    items: tuple[QueueItem, ...] = ()
    decided_lately: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A word as recognised; `probability` from 0 to 1, `corrected_from` when the glossary changed it."""

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0
    corrected_from: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewSentence:
    """A sentence with its words. `removed` says why a guard left it out of the transcript (None: it is in)."""

    start_s: float
    end_s: float
    words: tuple[Word, ...]
    url: str
    chapter_index: int = 0
    removed: str | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark, at a moment or on the whole (`at_s` None)."""

    author_name: str
    text: str
    at: datetime
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class SubmissionPage(Page):
    """The review workspace. `digest` names exactly what is shown; `closed` says why no verdict is possible here."""

    template: ClassVar[str] = "review/submission.html"
    url: str
    title: str
    owner_name: str
    waiting_since: datetime
    duration_s: float
    digest: str
    sources: tuple[Source, ...]
    chapters: tuple[Chapter, ...] = ()
    sentences: tuple[ReviewSentence, ...] = ()
    comments: tuple[Comment, ...] = ()
    flags: tuple[str, ...] = ()
    language: str = "en"
    poster_url: str | None = None
    captions_url: str | None = None
    storyboard_vtt_url: str | None = None
    start_s: float = 0.0
    closed: str | None = None
    error: str | None = None
    text: str = ""
    left: int = 0

    @property
    def doubtful(self) -> int:
        """Count the words below `DOUBT` and the passages that a guard removed."""
        return sum(
            1 if sentence.removed else sum(word.probability < DOUBT for word in sentence.words)
            for sentence in self.sentences
        )
