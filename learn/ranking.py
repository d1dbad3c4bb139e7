"""Which second of which lesson answers a query, and whether any does: pure functions on plain records.

A sentence is scored by how near its meaning is to the query (cosines of MiniLM vectors: the sentence, its neighbours,
the passage under its titles) and by how much of the query it covers (share of the query's words, rare ones counting
more, words of like meaning counting in part). The weights were fitted on the queries of `tests/bench/search.py` about
two thirds of its lessons; docs/decisions/0006-search.md has the figures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from learn.query import QueryTerm
from learn.terms import content_words, stem

MOMENTS: Final = 3
APART_S: Final = 10.0
# A further moment of a lesson is shown when it scores at least this share of the first.
ALSO: Final = 0.75

# What the score of a sentence is made of, in the order of `Moment.score`.
OWN_MEANING: Final = 0.33
NEXT_MEANING: Final = 0.09
PASSAGE_MEANING: Final = 1.23
OWN_COVER: Final = 0.05
NEAR_COVER: Final = 0.43
PASSAGE_COVER: Final = 0.56


# What makes an answer of the best moment (`Evidence`), and how much it takes. The last number is the threshold: of the
# tuning queries that share a word with their answer, one in twenty is refused.
_SPEAKS_FOR: Final = {
    "own_meaning": 3.61,
    "passage_meaning": -1.26,
    "exact_cover": -0.68,
    "near_cover": 0.43,
    "unknown": -1.05,
    "least": 0.99,
    "missing": -0.90,
    "margin": 1.51,
    "length": -0.36,
}
_LEAST: Final = -1.13 + 0.5
# A lead over the next lesson beyond this says no more; a lesson without rivals gets what answers usually have.
_WIDE_MARGIN: Final = 0.6
_USUAL_MARGIN: Final = 0.37


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may answer. `vectors` are those of its sentences, `meaning` is the cosine of the whole passage."""

    lesson_id: UUID
    slug: str
    title: str
    chapter_title: str
    start_s: float
    end_s: float
    text: str
    sentences: Sequence[Mapping[str, Any]]
    vectors: NDArray[np.float32] = field(repr=False)
    meaning: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A sentence that may answer, how near its meaning is, and its score."""

    passage: Candidate
    start_s: float
    end_s: float
    text: str
    meaning: float
    score: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against the best moment being an answer; shares are 0..1."""

    own_meaning: float
    passage_meaning: float
    exact_cover: float
    near_cover: float
    unknown: float
    least: float
    missing: float
    margin: float
    length: float


def cover(query: Sequence[QueryTerm], found: Collection[str], *, exact: bool = False) -> float:
    """Share of the query's words that are among the stems `found`, 0..1; rare words count more.

    Words of like meaning count in part, unless `exact`.
    """
    whole = sum(term.weight for term in query)
    return sum(term.weight * held(term, found, exact=exact) for term in query) / whole if whole else 0.0


def held(term: QueryTerm, found: Collection[str], *, exact: bool = False) -> float:
    """How surely a word of the query is among these stems, 0..1."""
    means = term.means if exact else term.near
    return max((grade for meant, grade in means.items() if meant in found), default=0.0)


def moments(query: Sequence[QueryTerm], vector: NDArray[np.float32], passages: Sequence[Candidate]) -> list[Moment]:
    """Every sentence of these passages with its score."""
    if not passages:
        return []
    sizes = [len(passage.sentences) for passage in passages]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    of = np.repeat(np.arange(len(passages)), sizes)
    first, last = np.isin(np.arange(len(of)), starts), np.isin(np.arange(len(of)) + 1, [*starts[1:], len(of)])
    weights = np.array([term.weight for term in query])
    weights /= max(float(weights.sum()), 1e-9)

    spoken = _grades(query, [sentence_stems(sentence) for passage in passages for sentence in passage.sentences])
    titles = _grades(query, [title_stems(f"{passage.title} {passage.chapter_title}") for passage in passages])
    before = np.where(first[:, None], 0, np.roll(spoken, 1, axis=0))
    after = np.where(last[:, None], 0, np.roll(spoken, -1, axis=0))
    around = np.maximum.reduce([spoken, before, after, titles[of]])
    whole = np.maximum(np.maximum.reduceat(spoken, starts, axis=0), titles)

    own = np.concatenate([passage.vectors for passage in passages]) @ vector
    beside = np.where(first, own, np.roll(own, 1)) + np.where(last, own, np.roll(own, -1))
    meaning = np.array([passage.meaning for passage in passages])
    scores = OWN_MEANING * own + NEXT_MEANING * beside + PASSAGE_MEANING * meaning[of]
    scores = scores + (OWN_COVER * spoken + NEAR_COVER * around + PASSAGE_COVER * whole[of]) @ weights
    said = [(passage, sentence) for passage in passages for sentence in passage.sentences]
    return [
        Moment(passage, float(one["start_s"]), float(one["end_s"]), str(one["text"]), float(near), float(score))
        for (passage, one), near, score in zip(said, own, scores, strict=True)
    ]


def _grades(query: Sequence[QueryTerm], texts: Sequence[Collection[str]]) -> NDArray[np.float64]:
    """How surely each word of the query (column) is among the stems of each text (row), 0..1."""
    meant: dict[str, list[tuple[int, float]]] = {}
    for column, term in enumerate(query):
        for known, grade in term.near.items():
            meant.setdefault(known, []).append((column, grade))
    grades = np.zeros((len(texts), len(query)))
    for row, stems in enumerate(texts):
        for found in stems:
            for column, grade in meant.get(found, ()):
                grades[row, column] = max(grade, grades[row, column])
    return grades


def grouped(found: Sequence[Moment]) -> list[list[Moment]]:
    """Moments by lesson, best lesson first; at most three each, best first, at least ten seconds apart."""
    lessons: dict[UUID, list[Moment]] = {}
    for moment in sorted(found, key=lambda one: (-one.score, one.start_s)):
        kept = lessons.setdefault(moment.passage.lesson_id, [])
        far = all(abs(moment.start_s - other.start_s) >= APART_S for other in kept)
        if not kept or (far and len(kept) < MOMENTS and moment.score >= ALSO * kept[0].score):
            kept.append(moment)
    return list(lessons.values())


def evidence(query: Sequence[QueryTerm], lessons: Sequence[Sequence[Moment]]) -> Evidence:
    """What is known about the best moment; both arguments hold something."""
    best = lessons[0][0]
    passage = best.passage
    found = title_stems(f"{passage.title} {passage.chapter_title}").union(*map(sentence_stems, passage.sentences))
    whole = sum(term.weight for term in query)
    return Evidence(
        own_meaning=best.meaning,
        passage_meaning=passage.meaning,
        exact_cover=cover(query, found, exact=True),
        near_cover=cover(query, found),
        unknown=sum(term.weight for term in query if max(term.means.values(), default=0.0) < 0.6) / whole,
        least=min(held(term, found) for term in query),
        missing=max(term.weight * (1 - held(term, found)) for term in query) / 8,
        margin=min(best.score - lessons[1][0].score, _WIDE_MARGIN) if len(lessons) > 1 else _USUAL_MARGIN,
        length=min(len(query), 6) / 6,
    )


def answers(found: Evidence) -> bool:
    """Whether the best moment answers the query at all."""
    return odds(found) >= 0


def odds(found: Evidence) -> float:
    """The logarithm of the odds that the best moment answers, less the threshold: a logistic regression."""
    return _LEAST + sum(weight * float(getattr(found, name)) for name, weight in _SPEAKS_FOR.items())


def sentence_stems(sentence: Mapping[str, Any]) -> Collection[str]:
    """The stems of a stored sentence."""
    stems = sentence.get("stems")
    return str(stems).split() if stems is not None else title_stems(str(sentence["text"]))


@lru_cache(maxsize=8192)
def title_stems(text: str) -> frozenset[str]:
    """The stems of the words that say what a text is about."""
    return frozenset(stem(word) for word in content_words(text))
