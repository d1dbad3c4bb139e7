"""Search: from what somebody typed to the second that answers it, or to the honest word that nothing does.

1. The words of the query are looked up in the vocabulary: how rare each is, and which known words a misspelt one means.
2. The corrected query becomes a vector, and each of its words gets the lessons' words of like meaning.
3. PostgreSQL gives the passages nearest to the vector (HNSW) and those that hold the rarest words (GIN), permission in
   the same query.
4. `ranking` scores their sentences, groups them by lesson and decides whether anything answers.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from accounts.models import Person
from accounts.permissions import Action, require
from infra.database import Work
from learn import repository
from learn.embedding import Embedder
from learn.query import Query, QueryTerm, stems_to_count, understood, unknown, with_synonyms
from learn.ranking import Candidate, Evidence, Moment, answers, evidence, grouped, moments
from learn.schemas import Answer, Hit, HitLesson
from learn.service import clean_query, lesson_url, unpacked, vector_literal
from learn.terms import words

LIMIT: Final = 50
# Passages PostgreSQL may have to score by words.
MAX_WORDED: Final = 600
# Words that no lesson holds, and whose meaning is looked up all the same.
MAX_STRANGE: Final = 3
# Grade from which a word of like meaning finds passages by itself.
LIKE_ENOUGH: Final = 0.6
LEAD_S: Final = 1.0
NEAREST: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Moments by lesson, best first, and what speaks for the first one being an answer."""

    asked: str
    lessons: list[list[Moment]]
    evidence: Evidence | None


async def search(work: Work, embedder: Embedder, *, person: Person, query: str, limit: int = 10) -> Answer:
    """Find the moments that answer `query`, at most `limit`, grouped by lesson and best first.

    Raises InvalidInput (`search.empty_query`, `search.query_too_long`) and Forbidden.
    """
    require(person, Action.LEARN)
    found = await find(work, embedder, query)
    best = [moment for lesson in found.lessons for moment in lesson][: max(1, min(limit, LIMIT))]
    hits = [_hit(moment) for moment in best]
    if found.evidence is not None and answers(found.evidence):
        return Answer(query=found.asked, answered=True, hits=hits)
    return Answer(query=found.asked, answered=False, hits=[], nearest=hits[:NEAREST])


async def find(work: Work, embedder: Embedder, query: str) -> Found:
    """The moments nearest to a query, answer or not. Raises InvalidInput."""
    asked = clean_query(query)
    await repository.prepare(work)
    meant, passages = await _understand(work, asked)
    if not meant.terms or not passages:
        return Found(asked, [], None)
    meant, vector = await _mean(work, embedder, meant)
    must, worth = _text_query(meant.terms, passages)
    rows = await repository.near_passages(work, vector=vector_literal(vector), must=must, worth=worth)
    lessons = grouped(moments(meant.terms, vector, [_candidate(row) for row in rows]))
    return Found(asked, lessons, evidence(meant.terms, lessons) if lessons else None)


async def _mean(work: Work, embedder: Embedder, query: Query) -> tuple[Query, NDArray[np.float32]]:
    """The query with words of like meaning, and its vector."""
    strange = [term.word for term in query.terms if term.known is None][:MAX_STRANGE]
    vectors = await asyncio.to_thread(embedder.embed, [query.text, *strange])
    literals = {word: vector_literal(vectors[row]) for row, word in enumerate(strange, 1)}
    asked = [(term.word, term.known, literals.get(term.word)) for term in query.terms]
    return with_synonyms(query, await repository.synonyms(work, asked)), vectors[0]


async def _understand(work: Work, asked: str) -> tuple[Query, int]:
    """The query in the words of the lessons, and the number of passages there are."""
    spelled = words(asked)
    counts = await repository.count_of(work, stems_to_count(spelled))
    passages = counts.pop("", 0)
    missing = unknown(spelled, counts) if passages else []
    alike = await repository.known_words_like(work, missing) if missing else {}
    return understood(asked, spelled, counts, alike, passages), passages


def _text_query(query: Sequence[QueryTerm], passages: int) -> tuple[str, list[tuple[str, float]]]:
    """A tsquery that few passages match (rare words alone, common ones in pairs), and each word with its worth.

    PostgreSQL scores every match, so there must not be many; a query of one common word is left to its meaning.
    """
    known = [term for term in sorted(query, key=lambda one: -one.weight) if term.near][: repository.SCORED_WORDS]
    groups = []
    for term in known:
        stems = [meant for meant, grade in term.near.items() if grade >= LIKE_ENOUGH or meant in term.means]
        # rarity() the other way round: the share of the passages that hold the word.
        share = min(1.0, len(stems) / (1 + math.exp(term.weight)))
        groups.append(("(" + " | ".join(map(_lexeme, stems)) + ")" if stems else "", share, term.weight))
    groups = [group for group in groups if group[0]]
    parts = [(share, word) for word, share, _ in groups]
    parts += [(one[1] * other[1], f"{one[0]} & {other[0]}") for one, other in itertools.combinations(groups, 2)]
    must, expected = [], 0.0
    for share, part in sorted(parts):
        expected += share * passages
        if expected > MAX_WORDED:
            break
        must.append(part)
    return " | ".join(must), [(word, weight) for word, _, weight in groups]


def _lexeme(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        lesson_id=row.lesson_id,
        slug=row.slug,
        title=row.title,
        chapter_title=row.chapter_title,
        start_s=row.start_s,
        end_s=row.end_s,
        text=row.text,
        sentences=row.sentences,
        vectors=unpacked(row.sentence_vectors),
        meaning=float(row.cosine),
    )


def _hit(moment: Moment) -> Hit:
    passage = moment.passage
    return Hit(
        lesson=HitLesson(slug=passage.slug, title=passage.title, url=lesson_url(passage.slug)),
        chapter_title=passage.chapter_title,
        start_s=moment.start_s,
        end_s=moment.end_s,
        text=moment.text,
        passage=passage.text,
        score=round(moment.score, 4),
        url=lesson_url(passage.slug, moment.start_s - LEAD_S),
    )
