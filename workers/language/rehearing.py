"""Which stretches of a clip are worth a second hearing with the company's words in mind, and what of it is kept.

A second hearing of the whole clip doubles what the stage costs, and hotwords can make Whisper drop or repeat
sentences. So only sentences that sound like a term are heard again, and of what is heard then, only terms are taken.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate

from workers.language.glossary import (
    A_LITTLE_ALIKE,
    Correction,
    IsCommon,
    Rule,
    Term,
    bare,
    hotwords_for,
    place_of,
    possessive,
    written,
)
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.language.timing import overlap_s

_BEFORE_A_NAME = frozenset(("in", "on", "from", "to", "through", "via", "open"))
_AROUND = ".,;:!?"


@dataclass(frozen=True, slots=True)
class Rehearing:
    """The terms to listen for, and the stretches of speech (start_s, end_s) in which to do so."""

    terms: tuple[Term, ...]
    speech: tuple[Span, ...]

    @property
    def hotwords(self) -> tuple[str, ...]:
        """The terms as they are written."""
        return tuple(term.term for term in self.terms)


def rehearing(heard: Transcript, title: str, terms: Iterable[Term], is_common: IsCommon) -> Rehearing:
    """What to hear again; no speech when nothing sounds like a term that is not written right."""
    known = list(terms)
    named = [Word(0, 0, word) for word in title.split()]
    hotwords = hotwords_for([*named, *heard.words], known, is_common=is_common)
    likely = [term for term in known if term.term in hotwords]
    doubtful = [
        segment
        for segment in heard.segments
        for found in [hotwords_for(segment.words, likely, is_common=is_common, least=A_LITTLE_ALIKE)]
        if any(term not in segment.text for term in found)
    ]
    speech = [span for span in heard.speech if any(overlap_s(segment, span) > 0 for segment in doubtful)]
    return Rehearing(tuple(likely), tuple(speech))


def with_terms(
    heard: Transcript, again: Transcript, asked: Rehearing, is_common: IsCommon
) -> tuple[Transcript, list[Correction]]:
    """`heard`, with the words that `again` hears as a term; every change in order. Both after guards.

    Nothing but terms is taken over, each for the words that it is alike to, so what a second hearing drops,
    repeats or adds elsewhere does no harm.
    """
    segments, changes = [], []
    for segment in heard.segments:
        words, changed = _with_terms(segment, again.words, asked, is_common)
        changes += changed
        segments.append(segment_of(words, segment) if changed else segment)
    return replace(heard, segments=tuple(segments)), changes


def as_heard(changes: Iterable[Correction], terms: Iterable[Term], is_common: IsCommon) -> list[Term]:
    """What the first hearing made of terms, told as a form of them: in the same clip it means the same again."""
    known = {term.term: term for term in terms}
    return [
        replace(known[name], sounds_like=(change.before,))
        for change in changes
        if not all(is_common(bare(word)) for word in change.before.split())
        for name in [change.after.strip(_AROUND)]
        if name in known
    ]


def _with_terms(
    segment: Segment, again: Sequence[Word], asked: Rehearing, is_common: IsCommon
) -> tuple[list[Word], list[Correction]]:
    before = list(segment.words)
    after = [word for word in again if overlap_s(word, (segment.start_s, segment.end_s)) > 0]
    result: list[Word] = []
    changes: list[Correction] = []
    alignment = SequenceMatcher(None, [bare(word.text) for word in before], [bare(word.text) for word in after])
    steps = alignment.get_opcodes()
    done = 0
    for term, first, end in _named(after, asked.terms):
        start, stop = _counterpart(steps, first, end)
        start = max(start, done)
        if _letters(before[start:stop]) == _letters(after[first:end]):
            place = (start, stop) if _after_a_preposition(after[:first]) else None
        else:
            place = place_of(before, (start, stop), term, asked.terms, is_common)
        old = before[slice(*place)] if place else []
        new = written(old, term.term + possessive(old[-1].text, term.term)) if old else []
        if place and _text(old) != _text(new):
            changes.append(Correction(old[0].start_s, _text(old), _text(new), Rule.HEARD_AGAIN))
            result += [*before[done : place[0]], *new]
            done = place[1]
    return [*result, *before[done:]], changes


def _after_a_preposition(words: Sequence[Word]) -> bool:
    """Whether words lead to a name, for what only the second hearing wrote large.

    "In Slack" and "open Sage" are names; "some slack", "mint and sage" and "between teams" are none.
    """
    return bool(words) and bare(words[-1].text) in _BEFORE_A_NAME


def _counterpart(steps: Iterable[tuple[str, int, int, int, int]], first: int, end: int) -> tuple[int, int]:
    """The words of the first hearing (from, to) in whose place the words `first` to `end` of the second stand."""
    starts, stops = [], []
    for kind, i, j, k, m in steps:
        if k < end and m > first:
            starts.append(i + max(first - k, 0) if kind == "equal" else i)
            stops.append(i + min(end, m) - k if kind == "equal" else j)
    return min(starts), max(stops)


def _named(words: Sequence[Word], terms: Iterable[Term]) -> list[tuple[Term, int, int]]:
    """The terms that stand in some words, as they are written, in order, and at which words (from, to)."""
    text = _text(words)
    ends = list(accumulate(len(word.text) + 1 for word in words))
    found = [
        (match.start(), match.end(), term)
        for term in terms
        for match in re.finditer(rf"(?<!\w){re.escape(term.term)}(?!\w)", text)
    ]
    return [
        (term, bisect_right(ends, start), bisect_right(ends, stop - 1) + 1)
        for start, stop, term in sorted(found, key=lambda one: one[:2])
    ]


def _letters(words: Sequence[Word]) -> str:
    return "".join(bare(word.text) for word in words)


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
