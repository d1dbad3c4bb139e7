"""The first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from web.views.learn import LessonCard
from web.views.page import Page
from web.views.recordings import RecordingCard


@dataclass(frozen=True, slots=True)
class HomePage(Page):
    """The first page: a search field, what is new, and one's own recordings under way."""

    template: ClassVar[str] = "home.html"
    examples: tuple[str, ...] = ()
    new: tuple[LessonCard, ...] = ()
    continued: tuple[LessonCard, ...] = ()
    in_progress: tuple[RecordingCard, ...] = ()
