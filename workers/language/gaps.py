"""Speech that got no words: where it is, and how words heard there later come into the transcript.

Whisper skips sentences now and then: at the seam of its 30 s windows, after a loop, with hotwords. Voice activity
detection has heard somebody there all the same, so such stretches are worth a second hearing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from workers.language.records import Segment, Span, Word, segment_of

LEAST_S = 1.0
"""Less speech than this without a word is a breath, a laugh, or word times that are a little off."""
_ROOM_S = 0.2
_PAUSE_S = 1.1


def unheard(words: Sequence[Word], speech: Sequence[Span]) -> list[Span]:
    """The parts of `speech` (start_s, end_s) that no word covers, where they add up to a second or more.

    A word covers 0.2 s on either side of it too. Parts belong together over pauses below 1.1 s without a word.
    """
    free = [part for span in speech for part in _without(span, words)]
    groups: list[list[Span]] = []
    for part in free:
        if groups and _together(groups[-1][-1], part, words):
            groups[-1].append(part)
        else:
            groups.append([part])
    return [part for group in groups if sum(end_s - start_s for start_s, end_s in group) >= LEAST_S for part in group]


def filled(segments: Sequence[Segment], again: Sequence[Segment], missed: Sequence[Span]) -> tuple[Segment, ...]:
    """`segments` with those words of `again` that lie in `missed`, all in order of time.

    What stands in the ten words before or after already was heard the first time, at a wrong time, and is left out.
    """
    words = [(word, segment) for segment in segments for word in segment.words]
    for segment in again:
        inside = [word for word in segment.words if _lies_in(word, missed)]
        if inside and not _said_beside(inside, [word for word, _ in words]):
            words += [(word, segment) for word in inside]
    words.sort(key=lambda pair: pair[0].start_s)
    runs = groupby(words, key=lambda pair: id(pair[1]))
    return tuple(segment_of([word for word, _ in run], run[0][1]) for run in (list(pairs) for _, pairs in runs))


def _without(span: Span, words: Sequence[Word]) -> list[Span]:
    """What is left of a span between the words in it."""
    left: list[Span] = []
    at_s = span[0]
    for word in words:
        start_s, end_s = word.start_s - _ROOM_S, word.end_s + _ROOM_S
        if end_s > at_s and start_s < span[1]:
            if start_s > at_s:
                left.append((at_s, start_s))
            at_s = max(at_s, end_s)
    return [*left, (at_s, span[1])] if at_s < span[1] else left


def _together(left: Span, right: Span, words: Sequence[Word]) -> bool:
    between = any(left[1] <= (word.start_s + word.end_s) / 2 <= right[0] for word in words)
    return right[0] - left[1] < _PAUSE_S and not between


def _lies_in(word: Word, missed: Sequence[Span]) -> bool:
    middle_s = (word.start_s + word.end_s) / 2
    return any(start_s - _ROOM_S <= middle_s <= end_s + _ROOM_S for start_s, end_s in missed)


def _said_beside(found: Sequence[Word], words: Sequence[Word]) -> bool:
    before = [word.text.lower() for word in words if word.start_s <= found[0].start_s][-10:]
    after = [word.text.lower() for word in words if word.start_s > found[0].start_s][:10]
    beside, run = before + after, [word.text.lower() for word in found]
    return any(beside[at : at + len(run)] == run for at in range(len(beside)))
