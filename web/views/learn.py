"""What learners see: first page, search, lesson."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from web.views.page import Chapter, Page, Sentence, Source


@dataclass(frozen=True, slots=True)
class LessonCard:
    """A lesson in a list."""

    title: str
    url: str
    duration_s: float
    owner_name: str
    published_at: datetime
    poster_url: str | None = None
    chapter_count: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A place that answers; `url` plays there. The words of the query are marked by the template."""

    url: str
    start_s: float
    text: str
    chapter_title: str = ""


@dataclass(frozen=True, slots=True)
class LessonHit:
    """A lesson that answers, with its best moments (at most three, best first)."""

    title: str
    url: str
    duration_s: float
    owner_name: str
    moments: tuple[Moment, ...]
    poster_url: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What search says. Not answered: `hits` may hold what comes near, shown apart."""

    answered: bool
    hits: tuple[LessonHit, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchPage(Page):
    """`answer` is None without a query or when search failed (`error`). `asked`: the request was just made."""

    template: ClassVar[str] = "search.html"
    q: str = ""
    answer: Answer | None = None
    error: str | None = None
    asked: bool = False
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LessonPage(Page):
    """A lesson. `start_s` comes from `?t=`; `plays` says that one came from a hit, so that it starts by itself."""

    template: ClassVar[str] = "lesson.html"
    title: str
    url: str
    owner_name: str
    published_at: datetime
    duration_s: float
    sources: tuple[Source, ...]
    chapters: tuple[Chapter, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    language: str = "en"
    summary: str = ""
    poster_url: str | None = None
    captions_url: str | None = None
    chapters_vtt_url: str | None = None
    storyboard_vtt_url: str | None = None
    start_s: float = 0.0
    plays: bool = False
