"""Tables of learning: lessons, the passages that search looks through, and requests for what is missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field, SQLModel

from infra.database import EnumText, UtcDateTime, utc_now
from learn.states import LessonState

# Width of a MiniLM sentence embedding.
EMBEDDING_SIZE = 384


class Lesson(SQLModel, table=True):
    """An approved clip, published."""

    __tablename__ = "lesson"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    slug: str = Field(sa_type=Text, unique=True)
    title: str = Field(sa_type=Text)
    recording_id: UUID = Field(foreign_key="recording.id", unique=True)
    clip_id: UUID = Field(foreign_key="clip.id")
    owner_id: UUID = Field(foreign_key="person.id", index=True)
    state: LessonState = Field(default=LessonState.PUBLISHED, sa_type=EnumText(LessonState))
    published_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    confirm_by: datetime = Field(sa_type=UtcDateTime)


class Passage(SQLModel, table=True):
    """20 to 40 seconds of a lesson, the unit of search."""

    __tablename__ = "passage"
    __table_args__ = (
        Index("passage_words", "words", postgresql_using="gin"),
        Index(
            "passage_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    lesson_id: UUID = Field(foreign_key="lesson.id", index=True)
    position: int
    lesson_title: str = Field(sa_type=Text)
    chapter_title: str = Field(sa_type=Text)
    start_s: float
    end_s: float
    text: str = Field(sa_type=Text)
    sentences: list[dict[str, Any]] = Field(sa_type=JSONB, description="start_s, end_s, text and stems of each")
    words: Any = Field(sa_type=TSVECTOR, description="stems of titles and text, as learn/terms.py makes them")
    embedding: Any = Field(sa_type=HALFVEC(EMBEDDING_SIZE))
    sentence_vectors: bytes = Field(description="one int8 vector of 384 after another, in the order of `sentences`")


class Term(SQLModel, table=True):
    """A word of the lessons and the number of passages that hold it; the empty word counts all passages.

    Tells rare words from common ones, which known word a misspelt one may mean, and which words mean about the same.
    """

    __tablename__ = "term"
    __table_args__ = (Index("term_trigrams", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),)

    word: str = Field(sa_type=Text, primary_key=True)
    stem: str = Field(sa_type=Text, index=True)
    passages: int
    embedding: Any = Field(default=None, sa_type=HALFVEC(EMBEDDING_SIZE), nullable=True)


class LessonRequest(SQLModel, table=True):
    """What somebody looked for and did not find."""

    __tablename__ = "lesson_request"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id")
    query: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
