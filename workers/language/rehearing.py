"""Which stretches of a clip are worth a second hearing with the company's words in mind, and what of it is kept.

A second hearing of the whole clip doubles what the stage costs, and hotwords can make Whisper drop or repeat
sentences. So only sentences that sound like a term are heard again, and of what is heard then, only terms are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from workers.language.glossary import (
    A_LITTLE_ALIKE,
    Correction,
    IsCommon,
    Rule,
    Term,
    bare,
    hotwords_for,
    place_of,
    written,
)
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.language.timing import overlap_s


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


def _with_terms(
    segment: Segment, again: Sequence[Word], asked: Rehearing, is_common: IsCommon
) -> tuple[list[Word], list[Correction]]:
    before = list(segment.words)
    after = [word for word in again if overlap_s(word, (segment.start_s, segment.end_s)) > 0]
    result: list[Word] = []
    changes: list[Correction] = []
    alignment = SequenceMatcher(None, [bare(word.text) for word in before], [bare(word.text) for word in after])
    done = 0
    for kind, i, j, k, m in alignment.get_opcodes():
        for term in _named(after[k:m], asked.terms) if kind == "replace" else []:
            place = place_of(before, (max(i, done), j), term, is_common)
            if place:
                old = before[slice(*place)]
                new = written(old, term.term)
                changes.append(Correction(old[0].start_s, _text(old), _text(new), Rule.HEARD_AGAIN))
                result += [*before[done : place[0]], *new]
                done = place[1]
    return [*result, *before[done:]], changes


def _named(words: Sequence[Word], terms: Iterable[Term]) -> list[Term]:
    """The terms that stand in some words, as they are written, in order."""
    text = _text(words)
    found = [
        (match.start(), term) for term in terms for match in re.finditer(rf"(?<!\w){re.escape(term.term)}(?!\w)", text)
    ]
    return [term for _, term in sorted(found, key=lambda one: one[0])]


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
