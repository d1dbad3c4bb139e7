"""Queries of learning. What a person may see is decided in the query: lessons that are published or due, and whose
recording is not deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, text
from sqlmodel import col, delete, select
from sqlmodel.sql.expression import Select

from accounts.models import Person
from capture.models import Clip, ClipFile, Recording
from capture.states import RecordingState
from infra.database import Work
from infra.errors import NotFound
from learn.models import Lesson, LessonRequest, Passage
from learn.states import LessonState
from learn.terms import content_words, stem

SHOWN: Final = (LessonState.PUBLISHED, LessonState.DUE)
LessonRow: TypeAlias = tuple[Lesson, Clip, Person, str | None]
# Any number, the same for everybody: slugs are given out one after another.
_SLUG_LOCK: Final = 4_600_002
_VISIBLE: Final = (
    "JOIN lesson ON lesson.id = passage.lesson_id AND lesson.state IN ('published', 'due')"
    " JOIN recording ON recording.id = lesson.recording_id AND recording.state <> 'deleted'"
)
# Passages looked at closely: this many by meaning, this many by words.
CANDIDATES: Final = 32
# For the statements of one search: never plan them anew; look on when hidden lessons used up what an index gave
# (pgvector, iterative scans); words with two letters exchanged are alike too (spuot, spout: 0.2).
_SETTINGS: Final = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('hnsw.ef_search', '48', true),"
    " set_config('hnsw.iterative_scan', 'strict_order', true),"
    " set_config('pg_trgm.similarity_threshold', '0.2', true)"
)
# How many words of a query count when passages are put in order by their words.
SCORED_WORDS: Final = 8
# A text query that matches no passage: no stem is a hyphen.
_NOTHING: Final = "'-'"
_WORTH: Final = " + ".join(
    f"CASE WHEN passage.words @@ CAST(:word_{n} AS tsquery) THEN CAST(:worth_{n} AS float) ELSE 0 END"
    for n in range(SCORED_WORDS)
)
_NEAR: Final = text(
    f"WITH near AS MATERIALIZED (SELECT passage.id FROM passage {_VISIBLE}"  # noqa: S608 - our own constants
    f" ORDER BY passage.embedding <=> CAST(:vector AS halfvec(384)) LIMIT {CANDIDATES}),"
    f" worded AS MATERIALIZED (SELECT passage.id FROM passage {_VISIBLE} WHERE passage.words @@ CAST(:must AS tsquery)"
    f" ORDER BY {_WORTH} DESC LIMIT {CANDIDATES})"
    " SELECT lesson.id AS lesson_id, lesson.slug, lesson.title, passage.start_s, passage.end_s, passage.text,"
    " passage.chapter_title, passage.sentences, passage.sentence_vectors,"
    " 1 - (passage.embedding <=> CAST(:vector AS halfvec(384))) AS cosine"
    " FROM (SELECT id FROM near UNION SELECT id FROM worded) AS chosen"
    " JOIN passage ON passage.id = chosen.id JOIN lesson ON lesson.id = passage.lesson_id"
)


def _is_shown() -> ColumnElement[bool]:
    return and_(col(Lesson.state).in_(SHOWN), col(Recording.state) != RecordingState.DELETED)


async def lock_slugs(work: Work) -> None:
    """From now until the end of the transaction nobody else gives out a slug."""
    await work.session.execute(text(f"SELECT pg_advisory_xact_lock({_SLUG_LOCK})"))


async def find_by_recording(work: Work, recording_id: UUID) -> Lesson | None:
    """The lesson of this recording, whatever its state."""
    query = select(Lesson).where(Lesson.recording_id == recording_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def is_newer(work: Work, clip_id: UUID, *, than: UUID) -> bool:
    """Whether a clip is of a later version than another one of the same recording."""
    versions = dict(
        (await work.session.exec(select(Clip.id, Clip.version).where(col(Clip.id).in_([clip_id, than])))).all()
    )
    return versions[clip_id] > versions[than]


async def find_by_clip(work: Work, clip_id: UUID) -> Lesson | None:
    """The lesson that shows this clip to learners now."""
    query = select(Lesson).join(Recording, col(Recording.id) == Lesson.recording_id)
    query = query.where(Lesson.clip_id == clip_id, _is_shown())
    return (await work.session.exec(query)).one_or_none()


async def taken_slugs(work: Work, stem: str) -> set[str]:
    """Slugs that are `stem` or begin with it and a hyphen."""
    query = select(Lesson.slug).where(
        (col(Lesson.slug) == stem) | col(Lesson.slug).startswith(f"{stem}-", autoescape=True)
    )
    return set((await work.session.exec(query)).all())


async def get_lesson_to_index(work: Work, lesson_id: UUID) -> Lesson:
    """The lesson, locked: one indexing at a time. Raises NotFound."""
    query = select(Lesson).where(Lesson.id == lesson_id).with_for_update()
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise NotFound("There is no such lesson.", code="lesson.not_found")
    return found


async def list_lessons(work: Work, *, limit: int, before: datetime | None) -> Sequence[LessonRow]:
    """Visible lessons, newest first, each with its clip, its owner and the name of its poster."""
    query = _lessons().order_by(col(Lesson.published_at).desc(), col(Lesson.id)).limit(limit)
    if before is not None:
        query = query.where(Lesson.published_at < before)
    return (await work.session.exec(query)).all()


async def get_lesson(work: Work, slug: str) -> LessonRow:
    """One visible lesson. Raises NotFound."""
    found = (await work.session.exec(_lessons().where(Lesson.slug == slug))).one_or_none()
    if found is None:
        raise NotFound(
            "There is no such lesson, or it is no longer shown. Please search for it.", code="lesson.not_found"
        )
    return found


def _lessons() -> Select[Lesson, Clip, Person, Any]:
    poster = (
        select(ClipFile.name)
        .where(ClipFile.clip_id == Lesson.clip_id, ClipFile.kind == "poster")
        .limit(1)
        .correlate(Lesson)
        .scalar_subquery()
    )
    return (
        select(Lesson, Clip, Person, poster)
        .select_from(Lesson)
        .join(Recording, col(Recording.id) == Lesson.recording_id)
        .join(Clip, col(Clip.id) == Lesson.clip_id)
        .join(Person, col(Person.id) == Lesson.owner_id)
        .where(_is_shown())
    )


async def replace_passages(
    work: Work,
    lesson_id: UUID,
    passages: Sequence[Mapping[str, Any]],
    *,
    words: Sequence[Collection[str]],
    vectors: Mapping[str, str],
) -> None:
    """Put these rows (column `words`: a list of stems) in the place of all passages of the lesson.

    `words` are the words of each passage as they are spoken, and `vectors` those of the words, for the vocabulary.
    """
    await _count(work, gone=await _words_of(work, lesson_id), come=words, vectors=vectors)
    await work.session.exec(delete(Passage).where(col(Passage.lesson_id) == lesson_id))
    if passages:
        await work.session.execute(
            text(
                "INSERT INTO passage (id, lesson_id, position, lesson_title, chapter_title, start_s, end_s, text,"
                " sentences, words, embedding, sentence_vectors) VALUES (gen_random_uuid(), :lesson_id, :position,"
                " :lesson_title, :chapter_title, :start_s, :end_s, :text, CAST(:sentences AS jsonb),"
                " array_to_tsvector(CAST(:words AS text[])), CAST(:embedding AS halfvec), :sentence_vectors)"
            ),
            list(passages),
        )


async def _words_of(work: Work, lesson_id: UUID) -> list[set[str]]:
    """The words of each passage of the lesson as it is stored now."""
    query = select(Passage.lesson_title, Passage.chapter_title, Passage.text).where(Passage.lesson_id == lesson_id)
    return [content_words(" ".join(row)) for row in (await work.session.exec(query)).all()]


async def _count(
    work: Work, *, gone: Sequence[Collection[str]], come: Sequence[Collection[str]], vectors: Mapping[str, str]
) -> None:
    """Keep the number of passages of each word true; in alphabetic order, so that two indexings cannot deadlock."""
    change: Counter[str] = Counter()
    for passage in come:
        change.update(("", *passage))
    for passage in gone:
        change.subtract(("", *passage))
    changed = sorted((word, number) for word, number in change.items() if number)
    if not changed:
        return
    await work.session.execute(
        text(
            "INSERT INTO term (word, stem, passages, embedding)"
            " SELECT word, stem, passages, CAST(vector AS halfvec) FROM unnest(CAST(:words AS text[]),"
            " CAST(:stems AS text[]), CAST(:numbers AS int[]), CAST(:vectors AS text[]))"
            " AS changed (word, stem, passages, vector)"
            " ON CONFLICT (word) DO UPDATE SET passages = term.passages + excluded.passages"
        ),
        {
            "words": [word for word, _ in changed],
            "stems": [stem(word) for word, _ in changed],
            "numbers": [number for _, number in changed],
            "vectors": [vectors.get(word) for word, _ in changed],
        },
    )


async def prepare(work: Work) -> None:
    """Set up this transaction for the statements of a search."""
    await work.session.execute(text(_SETTINGS))


async def count_of(work: Work, stems: Sequence[str]) -> dict[str, int]:
    """In how many passages each of these stems is, about; those in none are left out. "" counts all passages."""
    rows = await work.session.execute(
        text(
            "SELECT stem, sum(passages) AS passages FROM term WHERE stem = ANY(:stems) AND passages > 0 GROUP BY stem"
        ),
        {"stems": ["", *stems]},
    )
    return {row.stem: row.passages for row in rows}


async def known_words_like(work: Work, words: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each word that no passage holds: some that look like it, the likest first, and the passages of each."""
    rows = await work.session.execute(
        text(
            "SELECT asked.word AS asked, near.word, near.passages FROM unnest(CAST(:words AS text[])) AS asked (word),"
            " LATERAL (SELECT term.word, term.passages FROM term WHERE term.word % asked.word AND passages > 0"
            " ORDER BY similarity(term.word, asked.word) DESC, term.passages DESC LIMIT 40) AS near"
        ),
        {"words": list(words)},
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.asked, {})[row.word] = row.passages
    return found


async def synonyms(work: Work, asked: Sequence[tuple[str, str | None, str | None]]) -> dict[str, dict[str, float]]:
    """For each (word, stem in the vocabulary, else its vector): stems of like meaning, with the cosine."""
    rows = await work.session.execute(
        text(
            "WITH given AS (SELECT * FROM unnest(CAST(:words AS text[]), CAST(:stems AS text[]),"
            " CAST(:vectors AS text[])) AS given (word, stem, vector)),"
            " asked AS MATERIALIZED (SELECT word, coalesce(CAST(vector AS halfvec(384)),"
            " (SELECT term.embedding FROM term WHERE term.stem = given.stem AND term.embedding IS NOT NULL"
            " ORDER BY passages DESC, term.word LIMIT 1))"
            " AS vector FROM given)"
            " SELECT asked.word AS asked, near.stem, near.cosine FROM asked,"
            " LATERAL (SELECT term.stem, term.passages, 1 - (term.embedding <=> asked.vector) AS cosine FROM term"
            " ORDER BY term.embedding <=> asked.vector LIMIT 16) AS near WHERE near.cosine > 0.4 AND near.passages > 0"
        ),
        {
            "words": [word for word, _, _ in asked],
            "stems": [known for _, known, _ in asked],
            "vectors": [vector for _, _, vector in asked],
        },
    )
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        alike = found.setdefault(row.asked, {})
        alike[row.stem] = max(float(row.cosine), alike.get(row.stem, 0.0))
    return found


async def near_passages(
    work: Work, *, vector: str, must: str, worth: Sequence[tuple[str, float]]
) -> Sequence[Row[Any]]:
    """Visible passages near the vector, and those that match the text query `must`; `CANDIDATES` of each.

    `worth` says how much each of some words (text queries, at most `SCORED_WORDS`) counts among the latter. Columns:
    lesson_id, slug, title, start_s, end_s, text, chapter_title, sentences, sentence_vectors, cosine.
    """
    given: dict[str, Any] = {"vector": vector, "must": must or _NOTHING}
    for n in range(SCORED_WORDS):
        given[f"word_{n}"], given[f"worth_{n}"] = worth[n] if n < len(worth) else (_NOTHING, 0.0)
    return (await work.session.execute(_NEAR, given)).all()


async def find_request(work: Work, *, person_id: UUID, query: str) -> LessonRequest | None:
    """The same wish of the same person, if there is one already."""
    wanted = select(LessonRequest).where(LessonRequest.person_id == person_id, LessonRequest.query == query)
    return (await work.session.exec(wanted.limit(1))).one_or_none()


async def lessons_of_recordings(work: Work, recording_ids: Sequence[UUID]) -> Sequence[LessonRow]:
    """Visible lessons of these recordings."""
    return (await work.session.exec(_lessons().where(col(Lesson.recording_id).in_(recording_ids)))).all()


async def lessons_by_slug(work: Work, slugs: Sequence[str]) -> Sequence[LessonRow]:
    """Visible lessons with these slugs."""
    return (await work.session.exec(_lessons().where(col(Lesson.slug).in_(slugs)))).all()
