"""Word times put right by where speech is heard.

Whisper's word times come from attention, not from training: each model leads or lags by a constant (base is
0.11 s early, tiny.en 0.04 s late), and words beside a pause stretch into it or slip across it. Voice activity
detection knows the edges of speech to 32 ms. So the constant is estimated per clip from those edges, and each
word is put inside the speech it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from workers.language.records import Segment, Span, Word, segment_of
from workers.language.sentences import ends_sentence

EDGE_PAUSE_S = 0.25
"""A pause this long on the outer side makes the start or end of speech an edge to measure against."""
MOST_SHIFT_S = 0.2
SNAP_S = 0.3
ROOM_S = 0.08


def overlap_s(piece: Word | Segment, span: Span) -> float:
    """Seconds that the two share; negative when they lie apart."""
    return min(piece.end_s, span[1]) - max(piece.start_s, span[0])


def retimed(segments: Sequence[Segment], speech: Sequence[Span]) -> list[Segment]:
    """The same words, in order and without overlap, each inside the speech (start_s, end_s) it belongs to.

    No word is longer than 1 s + 0.12 s a letter. Segments without words, and clips without speech, stay.
    """
    words = [word for segment in segments for word in segment.words]
    if not words or not speech:
        return list(segments)
    shift_s = lag_s(words, speech)
    words = [replace(word, start_s=word.start_s + shift_s, end_s=word.end_s + shift_s) for word in words]
    words = _snapped(_placed(words, speech), speech)
    result, at = [], 0
    for segment in segments:
        own = _in_order(words[at : at + len(segment.words)])
        at += len(segment.words)
        result.append(segment_of(own, segment) if own else segment)
    return result


def lag_s(words: Sequence[Word], speech: Sequence[Span]) -> float:
    """What must be added to all word times of a clip, from the edges of its speech; 0 without evidence.

    The median difference between an edge and the word beside it, drawn towards 0 where edges are few.
    """
    differences: list[float] = []
    for index, (start_s, end_s) in enumerate(speech):
        inside = [word for word in words if overlap_s(word, (start_s, end_s)) > 0]
        if not inside:
            continue
        if index == 0 or start_s - speech[index - 1][1] >= EDGE_PAUSE_S:
            differences.append(start_s - inside[0].start_s)
        if index == len(speech) - 1 or speech[index + 1][0] - end_s >= EDGE_PAUSE_S:
            differences.append(end_s - inside[-1].end_s)
    if not differences:
        return 0.0
    trust = len(differences) / (len(differences) + 4)
    return trust * max(-MOST_SHIFT_S, min(MOST_SHIFT_S, median(differences)))


def _placed(words: Sequence[Word], speech: Sequence[Span]) -> list[Word]:
    """Each word cut to the speech it shares most time with; a word in a pause moves to speech with room."""
    placed: list[Word] = []
    home = speech[0]
    for word in words:
        best = max(speech, key=lambda span: overlap_s(word, span))
        if overlap_s(word, best) <= 0:
            best = _home(word, placed[-1].end_s if placed else None, home, speech)
        elif placed and best[0] > home[1] and ends_sentence(word.text) and _has_room(placed[-1].end_s, home):
            best = home if word.start_s < best[0] - EDGE_PAUSE_S else best
        home = best
        placed.append(_inside(word, home, placed[-1].end_s if placed else 0.0))
    return placed


def _home(word: Word, after_s: float | None, home: Span, speech: Sequence[Span]) -> Span:
    """The speech for a word that lies in a pause: the one before if it has room, else the nearest."""
    nearest = max(speech, key=lambda span: overlap_s(word, span))
    if after_s is not None and nearest[0] > home[1] and _has_room(after_s, home):
        closes = ends_sentence(word.text) or word.start_s - home[1] < nearest[0] - word.end_s
        return home if closes else nearest
    return nearest


def _has_room(after_s: float, home: Span) -> bool:
    return home[1] - after_s > ROOM_S


def _inside(word: Word, home: Span, after_s: float) -> Word:
    longest_s = 1.0 + 0.12 * len(word.text)
    if overlap_s(word, home) > 0:
        start_s, end_s = max(word.start_s, home[0]), min(word.end_s, home[1])
    elif word.start_s >= home[1]:
        start_s, end_s = max(home[0], min(after_s, home[1])), home[1]
    else:
        start_s, end_s = home[0], min(home[1], home[0] + (word.end_s - word.start_s))
    if end_s - start_s > longest_s:
        start_s = end_s - longest_s
    return replace(word, start_s=start_s, end_s=end_s)


def _snapped(words: Sequence[Word], speech: Sequence[Span]) -> list[Word]:
    """The first word after a pause starts where speech starts, the last ends where it ends, within 0.3 s."""
    snapped = list(words)
    for index, (start_s, end_s) in enumerate(speech):
        inside = [place for place, word in enumerate(snapped) if overlap_s(word, (start_s, end_s)) > 0]
        if not inside:
            continue
        first, last = inside[0], inside[-1]
        opens = index == 0 or start_s - speech[index - 1][1] >= EDGE_PAUSE_S
        if opens and 0 < snapped[first].start_s - start_s < SNAP_S:
            snapped[first] = replace(snapped[first], start_s=start_s)
        closes = index == len(speech) - 1 or speech[index + 1][0] - end_s >= EDGE_PAUSE_S
        if closes and 0 < end_s - snapped[last].end_s < SNAP_S:
            snapped[last] = replace(snapped[last], end_s=end_s)
    return snapped


def _in_order(words: Sequence[Word]) -> list[Word]:
    """Starts never go back, and no word ends after the next one starts."""
    ordered: list[Word] = []
    for word in words:
        start_s = max(word.start_s, ordered[-1].start_s) if ordered else word.start_s
        ordered.append(replace(word, start_s=start_s, end_s=max(start_s, word.end_s)))
    for index in range(len(ordered) - 1):
        if ordered[index].end_s > ordered[index + 1].start_s:
            ordered[index] = replace(ordered[index], end_s=ordered[index + 1].start_s)
    return ordered
