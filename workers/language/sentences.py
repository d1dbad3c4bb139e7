"""Sentences re-cut from words. Whisper's own segments are never trusted: they follow its windows.

Rules: a cut after `.`, `?`, `!` or at a pause above 0.6 s; a piece below 4 words joins its nearest neighbour
unless silence separates them; a piece above 25 words is cut at its best comma or longest pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workers.language.records import Segment, Sentence, Word, join_words, segment_of

PAUSE_S = 0.6
MIN_WORDS = 4
MAX_WORDS = 25
SILENCE_S = 2.0
"""Above this pause even a short piece stands alone: "Done." after ten seconds is a sentence of its own."""

_ENDS = (".", "?", "!", "…", "。", "?", "!")
_COMMAS = (",", ";", ":", "、", ",", "–", "—")
_CLOSERS = "\"'”’)]»」』"
_ABBREVIATIONS = frozenset(
    ("dr.", "mr.", "mrs.", "ms.", "prof.", "st.", "nr.", "vs.", "etc.", "approx.", "e.g.", "i.e.", "fig.")
) | {"z.b.", "d.h.", "ca.", "bzw.", "inc.", "ltd.", "dept."}


def sentences(source: Sequence[Segment] | Sequence[Word]) -> list[Sentence]:
    """The sentences of a clip in order; every word is in exactly one.

    `source` is segments or words, times in seconds. A segment without words counts as one piece.
    """
    return [
        Sentence(part[0].start_s, max(word.end_s for word in part), join_words(word.text for word in part))
        for part in _parts(_after_pauses(words_of(source)))
    ]


def cut_at_sentences(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The same words in segments of one sentence each, with the doubts of the segment a sentence began in.

    Whisper's own segments end anywhere.
    """
    begins = {id(word): segment for segment in segments for word in segment.words}
    return tuple(segment_of(part, begins.get(id(part[0]))) for part in _parts(words_of(segments)))


def _parts(words: list[Word]) -> list[list[Word]]:
    return [part for piece in _join_short(_pieces(words)) for part in _split_long(piece)]


def ends_sentence(text: str) -> bool:
    """True when this word closes a sentence ("file." does, "e.g." and "3.5" do not)."""
    bare = text.rstrip(_CLOSERS)
    return bare.endswith(_ENDS) and bare.lower() not in _ABBREVIATIONS


def ends_phrase(text: str) -> bool:
    """True when a comma, semicolon, colon or dash follows this word."""
    return text.rstrip(_CLOSERS).endswith(_COMMAS)


def words_of(source: Sequence[Segment] | Sequence[Word]) -> list[Word]:
    """All words in order, without empty ones; a segment without words has its text spread over its time."""
    words: list[Word] = []
    for item in source:
        if isinstance(item, Word):
            words.append(item)
        elif item.words:
            words.extend(item.words)
        elif item.text.strip():
            words.extend(_spread(item))
    return [word for word in words if word.text.strip()]


def _spread(segment: Segment) -> list[Word]:
    """Words of a segment that has none, their times in proportion to their letters."""
    texts = segment.text.split()
    letters = sum(len(text) for text in texts)
    words, at_s = [], segment.start_s
    for text in texts:
        end_s = at_s + (segment.end_s - segment.start_s) * len(text) / letters
        words.append(Word(at_s, end_s, text))
        at_s = end_s
    return words


def _after_pauses(words: list[Word]) -> list[Word]:
    """Moves the first word of a sentence behind the pause: Whisper often puts it right after the full stop."""
    moved = list(words)
    for before, index in zip(words, range(1, len(words) - 1), strict=False):
        word, after = words[index], words[index + 1]
        ends = ends_sentence(before.text) and not ends_sentence(word.text)
        if ends and word.start_s - before.end_s <= PAUSE_S < after.start_s - word.end_s:
            moved[index] = replace(word, start_s=after.start_s - (word.end_s - word.start_s), end_s=after.start_s)
    return moved


def _pieces(words: list[Word]) -> list[list[Word]]:
    pieces: list[list[Word]] = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        if before is None or ends_sentence(before.text) or word.start_s - before.end_s > PAUSE_S:
            pieces.append([])
        pieces[-1].append(word)
    return pieces


def _join_short(pieces: list[list[Word]]) -> list[list[Word]]:
    """Gives a piece below MIN_WORDS to the neighbour that is nearer in time; a full stop makes it farther."""
    pieces = [list(piece) for piece in pieces]
    index = 0
    while index < len(pieces):
        if len(pieces[index]) >= MIN_WORDS:
            index += 1
            continue
        before = _distance_s(pieces[index - 1], pieces[index]) if index else SILENCE_S
        after = _distance_s(pieces[index], pieces[index + 1]) if index + 1 < len(pieces) else SILENCE_S
        if min(before, after) >= SILENCE_S:
            index += 1
        elif after < before:
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
        else:
            index -= 1
            pieces[index : index + 2] = [pieces[index] + pieces[index + 1]]
    return pieces


def _distance_s(left: list[Word], right: list[Word]) -> float:
    pause_s = right[0].start_s - left[-1].end_s
    return pause_s + PAUSE_S / 2 if ends_sentence(left[-1].text) and pause_s < SILENCE_S else pause_s


def _split_long(piece: list[Word]) -> list[list[Word]]:
    if len(piece) <= MAX_WORDS:
        return [piece]
    places = range(MIN_WORDS, len(piece) - MIN_WORDS + 1)
    cut = max(places, key=lambda place: _cut_score(piece, place))
    return _split_long(piece[:cut]) + _split_long(piece[cut:])


def _cut_score(piece: list[Word], place: int) -> float:
    """How good a cut before word `place` is, in seconds of pause: a full stop is worth 2, a comma 0.5."""
    left = piece[place - 1]
    pause_s = max(0.0, piece[place].start_s - left.end_s)
    mark = 2.0 if ends_sentence(left.text) else 0.5 if ends_phrase(left.text) else 0.0
    off_centre = abs(place - len(piece) / 2) / len(piece)
    return pause_s + mark - 0.3 * off_centre
