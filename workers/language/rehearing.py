"""Which stretches of a clip are worth a second hearing with the company's words in mind, and what of it is kept.

A second hearing of the whole clip doubles what the stage costs, and hotwords can make Whisper drop or repeat
sentences. So only sentences that sound like a term are heard again, and of what is heard then, only terms are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from workers.language.glossary import Correction, Term, bare, hotwords_for
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.language.sentences import ends_sentence
from workers.language.timing import overlap_s

NAMED_ALIKE = 0.6
"""What a stretch must share with a term that the clip names anyway; elsewhere it is `glossary.ALIKE`."""


@dataclass(frozen=True, slots=True)
class Rehearing:
    """The terms to listen for, and the stretches of speech (start_s, end_s) in which to do so."""

    hotwords: tuple[str, ...]
    speech: tuple[Span, ...]


def rehearing(heard: Transcript, title: str, terms: Iterable[Term]) -> Rehearing:
    """What to hear again; no speech when nothing sounds like a term that is not written right."""
    known = list(terms)
    hotwords = hotwords_for(f"{title} {heard.text}", known)
    named = [term for term in known if term.term in hotwords]
    doubtful = [
        segment
        for segment in heard.segments
        if any(term not in segment.text for term in hotwords_for(segment.text, named, least=NAMED_ALIKE))
    ]
    speech = [span for span in heard.speech if any(overlap_s(segment, span) > 0 for segment in doubtful)]
    return Rehearing(hotwords, tuple(speech))


def with_terms(heard: Transcript, again: Transcript, asked: Rehearing) -> tuple[Transcript, list[Correction]]:
    """`heard`, with the words that `again` hears as a term; every change in order. Both after guards.

    Nothing but terms is taken over, so what a second hearing drops, repeats or adds elsewhere does no harm.
    """
    segments, changes = [], []
    for segment in heard.segments:
        words, changed = _with_terms(segment, again.words, asked)
        changes += changed
        segments.append(segment_of(words, segment) if changed else segment)
    return replace(heard, segments=tuple(segments)), changes


def _with_terms(segment: Segment, again: Sequence[Word], asked: Rehearing) -> tuple[list[Word], list[Correction]]:
    before = list(segment.words)
    after = [word for word in again if overlap_s(word, (segment.start_s, segment.end_s)) > 0]
    result, changes = [], []
    alignment = SequenceMatcher(None, [bare(word.text) for word in before], [bare(word.text) for word in after])
    for kind, i, j, k, m in alignment.get_opcodes():
        old, new = before[i:j], after[k:m]
        if old and ends_sentence(old[-1].text):
            new = new[: next((n + 1 for n, word in enumerate(new) if ends_sentence(word.text)), len(new))]
        if kind == "replace" and _names_a_term(old, new, asked.hotwords):
            new = [replace(word, start_s=_within(word.start_s, old), end_s=_within(word.end_s, old)) for word in new]
            changes.append(Correction(old[0].start_s, _text(old), _text(new)))
            result += new
        else:
            result += old
    return result, changes


def _names_a_term(old: Sequence[Word], new: Sequence[Word], hotwords: Iterable[str]) -> bool:
    """A term may have been heard as up to four words ("pal it pro is"), but no sentence may come or go."""
    named = any(term in _text(new) for term in hotwords)
    return named and -3 <= len(new) - len(old) <= 1


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _within(time_s: float, words: Sequence[Word]) -> float:
    return min(max(time_s, words[0].start_s), words[-1].end_s)
