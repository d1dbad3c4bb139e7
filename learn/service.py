"""The verbs of learning: publish and index a lesson, show lessons, ask for one that is missing."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from accounts.models import Person
from accounts.permissions import Action, require
from capture.models import Clip
from infra.database import Work, utc_now
from infra.errors import InvalidInput
from learn import repository
from learn.embedding import Vectors
from learn.models import EMBEDDING_SIZE, Lesson, LessonRequest
from learn.passages import PassageDraft, PassageSentence, draft_words, texts
from learn.schemas import LessonPage, LessonSummary, LessonWish
from learn.states import LessonState, lesson_step
from learn.terms import content_words, fold, stem

# A lesson must be confirmed again after half a year.
CONFIRM_AFTER: Final = timedelta(days=182)
SLUG_LETTERS: Final = 60
QUERY_LETTERS: Final = 500
PAGE: Final = 100

_NOT_IN_SLUG = re.compile(r"[^\w]+|_+")


async def publish(work: Work, *, recording_id: UUID, clip_id: UUID, owner_id: UUID, title: str) -> Lesson:
    """Show this clip to learners. A newer clip of a recording keeps the slug; the same or an older one changes nothing.

    Raises WrongState when the lesson was retired and this is a newer clip.
    """
    await repository.lock_slugs(work)
    lesson = await repository.find_by_recording(work, recording_id)
    now = utc_now()
    if lesson is None:
        slug = await _free_slug(work, title)
        lesson = Lesson(
            slug=slug,
            title=title,
            recording_id=recording_id,
            clip_id=clip_id,
            owner_id=owner_id,
            published_at=now,
            confirm_by=now + CONFIRM_AFTER,
        )
        work.session.add(lesson)
    elif await repository.is_newer(work, clip_id, than=lesson.clip_id):
        if lesson.state is not LessonState.PUBLISHED:
            lesson.state = lesson_step(LessonState(lesson.state), LessonState.PUBLISHED)
        lesson.clip_id, lesson.title, lesson.owner_id = clip_id, title, owner_id
        lesson.confirm_by = now + CONFIRM_AFTER
    await work.session.flush()
    return lesson


async def _free_slug(work: Work, title: str) -> str:
    wanted = slug_of(title)
    taken = await repository.taken_slugs(work, wanted)
    number, slug = 2, wanted
    while slug in taken:
        slug, number = f"{wanted}-{number}", number + 1
    return slug


def slug_of(title: str) -> str:
    """A readable part of an address: lower-case letters and digits with hyphens; other scripts stay as they are."""
    parts = _NOT_IN_SLUG.sub("-", fold(title)).strip("-")
    if len(parts) > SLUG_LETTERS:
        parts = parts[: SLUG_LETTERS + 1].rpartition("-")[0] or parts[:SLUG_LETTERS]
    return parts.strip("-") or "lesson"


async def index_lesson(work: Work, *, lesson_id: UUID, drafts: Sequence[PassageDraft], vectors: Vectors) -> int:
    """Replace all passages of the lesson and return their number; no drafts take it out of the search.

    `vectors` are those of `learn.passages.texts(drafts)`, in its order, shape (n, 384). Raises ValueError when they
    are not, NotFound when there is no such lesson.
    """
    needed = texts(drafts)
    if vectors.shape != (len(needed), EMBEDDING_SIZE):
        raise ValueError(f"vectors of learn.passages.texts(drafts) have shape {(len(needed), EMBEDDING_SIZE)}")
    lesson = await repository.get_lesson_to_index(work, lesson_id)
    row_of = {text: row for row, text in enumerate(needed[len(drafts) :], len(drafts))}
    spoken = [draft_words(draft) for draft in drafts]
    rows = [
        {
            "lesson_id": lesson.id,
            "position": position,
            "lesson_title": draft.lesson_title,
            "chapter_title": draft.chapter_title,
            "start_s": draft.start_s,
            "end_s": draft.end_s,
            "text": draft.text,
            "sentences": json.dumps([_stored(one) for one in draft.sentences]),
            "words": sorted({stem(word) for word in said}),
            "embedding": vector_literal(vectors[position]),
            "sentence_vectors": packed(vectors[[row_of[one.text] for one in draft.sentences]]),
        }
        for position, (draft, said) in enumerate(zip(drafts, spoken, strict=True))
    ]
    await repository.replace_passages(
        work,
        lesson.id,
        rows,
        words=spoken,
        vectors={word: vector_literal(vectors[row_of[word]]) for said in spoken for word in said},
    )
    return len(rows)


def _stored(sentence: PassageSentence) -> dict[str, object]:
    """A sentence as it is kept; its stems save time when it is searched."""
    stems = " ".join(sorted({stem(word) for word in content_words(sentence.text)}))
    return {"start_s": sentence.start_s, "end_s": sentence.end_s, "text": sentence.text, "stems": stems}


def packed(vectors: Vectors) -> bytes:
    """Unit vectors (n, 384) as int8, 384 bytes each; the length is lost, the direction stays within half a degree."""
    peaks = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-9)
    return bytes(np.rint(vectors / peaks * 127).astype(np.int8).tobytes())


def unpacked(content: bytes) -> NDArray[np.float32]:
    """Unit vectors (n, 384) out of what `packed` made."""
    vectors = np.frombuffer(content, dtype=np.int8).reshape(-1, EMBEDDING_SIZE).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
    return units


def vector_literal(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(f"{number:.5g}" for number in vector) + "]"


async def list_lessons(
    work: Work, *, person: Person, limit: int = 50, before: datetime | None = None
) -> list[LessonSummary]:
    """Lessons this person may see, newest first; `before` is the `published_at` of the last one of the page before."""
    require(person, Action.LEARN)
    try:
        earlier = before.astimezone(UTC) if before else None
    except OverflowError as error:
        raise InvalidInput("This time is out of range.", code="lesson.before") from error
    rows = await repository.list_lessons(work, limit=max(1, min(limit, PAGE)), before=earlier)
    return [LessonSummary(**_summary(*row)) for row in rows]


async def get_lesson(work: Work, *, person: Person, slug: str) -> LessonPage:
    """One lesson. Raises NotFound when there is none this person may see."""
    require(person, Action.LEARN)
    lesson, clip, owner, poster = await repository.get_lesson(work, printable(slug))
    return LessonPage(
        **_summary(lesson, clip, owner, poster), recording_id=lesson.recording_id, chapters=clip.chapters or []
    )


async def find_lesson_of_clip(work: Work, clip_id: UUID) -> Lesson | None:
    """The lesson that shows this clip to learners now, if any: its media may then be seen by all who may learn."""
    return await repository.find_by_clip(work, clip_id)


def _summary(lesson: Lesson, clip: Clip, owner: Person, poster: str | None) -> dict[str, object]:
    return {
        "slug": lesson.slug,
        "title": lesson.title,
        "url": lesson_url(lesson.slug),
        "owner": owner.name,
        "state": lesson.state,
        "clip_id": lesson.clip_id,
        "duration_s": clip.duration_s,
        "language": clip.language,
        "poster_url": f"/media/{clip.id}/{poster}" if poster else None,
        "published_at": lesson.published_at,
        "confirm_by": lesson.confirm_by,
    }


def lesson_url(slug: str, at_s: float | None = None) -> str:
    """Where a lesson plays, from the beginning or from a moment in seconds."""
    return f"/lessons/{slug}" if at_s is None else f"/lessons/{slug}?t={max(0.0, at_s):.1f}"


async def request_lesson(work: Work, *, person: Person, query: str) -> LessonWish:
    """Write down that somebody missed this. Asking twice for the same changes nothing. Raises InvalidInput."""
    require(person, Action.LEARN)
    wanted = clean_query(query)
    found = await repository.find_request(work, person_id=person.id, query=wanted)
    if found is None:
        found = LessonRequest(person_id=person.id, query=wanted)
        work.session.add(found)
        await work.session.flush()
    return LessonWish(id=found.id, query=found.query, created_at=found.created_at)


def clean_query(query: str) -> str:
    """The query with single spaces and nothing that cannot be printed. Raises InvalidInput: empty, or too long."""
    cleaned = printable(query)
    if not cleaned:
        raise InvalidInput("Type what you are looking for, for example: reset a password.", code="search.empty_query")
    if len(cleaned) > QUERY_LETTERS:
        raise InvalidInput(
            f"This is too long to look for. Please use at most {QUERY_LETTERS} characters.",
            code="search.query_too_long",
        )
    return cleaned


def printable(text: str) -> str:
    """Control characters, unpaired surrogates and runs of spaces become one space each."""
    kept = "".join(" " if unicodedata.category(letter) in {"Cc", "Cs", "Co"} else letter for letter in text)
    return " ".join(kept.split())


async def lessons_of_recordings(work: Work, recording_ids: Sequence[UUID]) -> dict[UUID, Lesson]:
    """The visible lessons of these recordings, by recording id."""
    return {row[0].recording_id: row[0] for row in await repository.lessons_of_recordings(work, recording_ids)}


async def cards_of(work: Work, *, slugs: Sequence[str]) -> dict[str, LessonSummary]:
    """Visible lessons by slug."""
    rows = await repository.lessons_by_slug(work, slugs)
    return {row[0].slug: LessonSummary.model_validate(_summary(*row)) for row in rows}


async def example_queries(work: Work, *, limit: int) -> list[str]:
    """Things to search for that the newest lessons answer: titles of their chapters, one a lesson."""
    rows = await repository.list_lessons(work, limit=limit, before=None)
    return [clip.chapters[-1]["title"] for _, clip, _, _ in rows if clip.chapters]
