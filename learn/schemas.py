"""What goes out of learning: hits of a search, and lessons as learners see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class HitLesson(BaseModel):
    """The lesson a hit lies in; `url` plays it from its beginning."""

    slug: str
    title: str
    url: str


class Hit(BaseModel):
    """A moment of a lesson; `url` plays at it, one second before the best sentence."""

    lesson: HitLesson
    chapter_title: str
    start_s: float = Field(description="where the best sentence begins, in seconds")
    end_s: float = Field(description="where the best sentence ends, in seconds")
    text: str = Field(description="the best sentence")
    passage: str = Field(description="the 20 to 40 seconds around it")
    score: float = Field(description="higher is better; comparable within one answer only")
    url: str


class Answer(BaseModel):
    """What search found. When nothing answers, `hits` is empty and `nearest` has what comes closest."""

    query: str
    answered: bool
    hits: list[Hit]
    nearest: list[Hit] = Field(default_factory=list)


class LessonSummary(BaseModel):
    """A lesson in a list."""

    slug: str
    title: str
    url: str
    owner: str
    state: str
    clip_id: UUID
    duration_s: float
    language: str | None
    poster_url: str | None
    published_at: datetime
    confirm_by: datetime


class LessonPage(LessonSummary):
    """A lesson with what its page shows beside the video."""

    recording_id: UUID
    chapters: list[dict[str, Any]] = Field(description="start_s, end_s, title of each")


class LessonWish(BaseModel):
    """A request for a lesson that is missing."""

    id: UUID
    query: str
    created_at: datetime
