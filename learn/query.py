"""What a query means in the words of the lessons: which words matter, how rare each is, what a misspelt one may be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from learn.terms import is_stopword, likeness, nearly_stopword, stem

MAX_TERMS: Final = 12
# Of the words that a misspelt one may mean, those within this much of the likest are kept.
_ALSO_MEANT: Final = 0.1
# From this likeness on a misspelt word is replaced before the meaning of the query is taken.
_REPLACED: Final = 0.7
# Below it, a word that is a function word but for one slip is taken for that.
_SURE: Final = 0.85
_JOINED: Final = 0.9
# Words are of like meaning from this cosine of their vectors on, and surely so this much above it; measured on MiniLM:
# lift and elevator 0.62, rinse and wash 0.73, bike and bicycle 0.92.
_UNRELATED: Final = 0.4
_RELATED: Final = 0.4
_SYNONYM: Final = 0.9
_SPLIT_FROM: Final = 7
_LEAST_PART: Final = 3


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A word of the query: how rare it is (idf), and the stems it stands for, each with a grade 0..1.

    `means` are the word itself or what it may be misspelt for, `near` has words of like meaning too.
    """

    word: str
    weight: float
    means: Mapping[str, float]
    near: Mapping[str, float] = field(default_factory=dict)

    @property
    def known(self) -> str | None:
        """The stem it most surely stands for; None when no lesson holds the word."""
        return max(self.means, key=lambda meant: self.means[meant], default=None)


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was understood; `text` is it with misspelt words replaced."""

    terms: tuple[QueryTerm, ...]
    text: str


def rarity(passages_with: float, passages: int) -> float:
    """Inverse document frequency (Robertson and Spärck Jones, as in BM25). Few passages count as two hundred."""
    whole = max(passages, 200)
    held = min(passages_with, whole)
    return math.log(1 + (whole - held + 0.5) / (held + 0.5))


def content(spelled: Sequence[str]) -> list[str]:
    """The words that say what a query is about, each once, at most twelve."""
    return list(dict.fromkeys(word for word in spelled if not is_stopword(word)))[:MAX_TERMS]


def stems_to_count(spelled: Sequence[str]) -> list[str]:
    """Every stem that `understood` needs the count of: of words, of neighbours as one, of halves of long ones."""
    joined = [left + right for left, right in itertools.pairwise(spelled)]
    halves = [half for word in content(spelled) for pair in _splits(word) for half in pair]
    return sorted({stem(word) for word in (*content(spelled), *joined, *halves)})


def unknown(spelled: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """The words no passage holds in any form."""
    return [word for word in content(spelled) if stem(word) not in counts]


def understood(
    asked: str, spelled: Sequence[str], counts: Mapping[str, int], alike: Mapping[str, Mapping[str, int]], passages: int
) -> Query:
    """The query in the words of the lessons.

    `spelled` are its words, `counts` says in how many of all `passages` each stem is (those in none left out), `alike`
    gives for each unknown word some known ones that look like it, the likest first, with their numbers of passages.
    """
    terms: dict[str, QueryTerm] = {}
    replaced: dict[str, str] = {}
    for word in content(spelled):
        if stem(word) in counts:
            found = [QueryTerm(word, rarity(counts[stem(word)], passages), {stem(word): 1.0})]
        else:
            found, instead = _guessed(word, counts, alike.get(word, {}), passages)
            replaced[word] = instead
        for term in found:
            terms.setdefault(stem(term.word), term)
    _join(terms, spelled, counts)
    changed = {word: instead for word, instead in replaced.items() if instead != word}
    text = " ".join(changed.get(word, word) for word in spelled) if changed else asked
    return Query(tuple(terms.values()), text)


def with_synonyms(query: Query, alike: Mapping[str, Mapping[str, float]]) -> Query:
    """The query with words of like meaning: for some of its words stems of the lessons and the cosine of each."""
    terms = []
    for term in query.terms:
        near = dict(term.means)
        for known, cosine in alike.get(term.word, {}).items():
            grade = min(1.0, (cosine - _UNRELATED) / _RELATED) * _SYNONYM
            near[known] = max(grade, near.get(known, 0.0))
        terms.append(replace(term, near={known: grade for known, grade in near.items() if grade > 0}))
    return Query(tuple(terms), query.text)


def _guessed(
    word: str, counts: Mapping[str, int], alike: Mapping[str, int], passages: int
) -> tuple[list[QueryTerm], str]:
    """What an unknown word may be, and what to read instead of it."""
    grades = {known: grade for known in alike if (grade := likeness(word, known)) > 0}
    top = max(grades.values(), default=0.0)
    if top < _SURE and nearly_stopword(word):
        return [], word
    if top < _REPLACED:
        for left, right in _splits(word):
            if stem(left) in counts and stem(right) in counts and not (is_stopword(left) or is_stopword(right)):
                parts = [
                    QueryTerm(part, rarity(counts[stem(part)], passages), {stem(part): 1.0}) for part in (left, right)
                ]
                return parts, f"{left} {right}"
    near = {known: grade for known, grade in grades.items() if grade >= top - _ALSO_MEANT}
    means: dict[str, float] = {}
    for known, grade in near.items():
        means[stem(known)] = max(grade, means.get(stem(known), 0.0))
    count = min((alike[known] for known in near if grades[known] == top), default=0)
    best = max(near, key=lambda known: grades[known], default=word)
    return [QueryTerm(word, rarity(count, passages), means)], best if top >= _REPLACED else word


def _join(terms: dict[str, QueryTerm], spelled: Sequence[str], counts: Mapping[str, int]) -> None:
    """Neighbours may be written as one word in the lessons: "time sheet" also means "timesheet"."""
    for left, right in itertools.pairwise(spelled):
        whole = stem(left + right)
        if whole not in counts:
            continue
        for part in (stem(left), stem(right)):
            if part in terms:
                old = terms[part]
                terms[part] = replace(old, means={**old.means, whole: _JOINED})


def _splits(word: str) -> list[tuple[str, str]]:
    if len(word) < _SPLIT_FROM or not word.isalpha():
        return []
    return [(word[:at], word[at:]) for at in range(_LEAST_PART, len(word) - _LEAST_PART + 1)]
