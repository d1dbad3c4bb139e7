"""Speech without words is found, and what is heard there later comes to its place once."""

from __future__ import annotations

from workers.language.gaps import filled, unheard
from workers.language.records import Segment, Span, Word, segment_of

SPEECH: list[Span] = [(0.5, 3.5), (4.0, 6.5), (9.0, 11.5)]


def said(text: str, start_s: float, end_s: float) -> list[Word]:
    texts = text.split()
    step_s = (end_s - start_s) / len(texts)
    return [Word(start_s + step_s * n, start_s + step_s * (n + 1), word) for n, word in enumerate(texts)]


OPEN = said("Open the settings page.", 0.5, 3.5)
PRESS = said("Press the green button.", 4.0, 6.5)
SEND = said("Send the order.", 9.0, 11.5)


def test_a_sentence_without_words_is_found() -> None:
    assert unheard([*OPEN, *PRESS, *SEND], SPEECH) == []
    assert unheard([*OPEN, *SEND], SPEECH) == [(4.0, 6.5)]
    assert unheard([], SPEECH) == SPEECH


def test_the_middle_of_a_stretch_of_speech_is_found_between_its_words() -> None:
    assert unheard([*said("Open it.", 0.5, 2.0), *said("Stop.", 9.0, 9.5)], [(0.5, 9.5)]) == [(2.2, 8.8)]


def test_a_breath_or_word_times_that_are_a_little_off_are_no_gap() -> None:
    early = [Word(word.start_s - 0.3, word.end_s - 0.3, word.text) for word in [*OPEN, *PRESS, *SEND]]
    assert unheard(early, SPEECH) == []
    assert unheard([*OPEN, *SEND], [SPEECH[0], (5.0, 5.9), SPEECH[2]]) == []


def test_short_pieces_count_together_over_short_pauses_only() -> None:
    near: list[Span] = [(1.0, 1.6), (2.0, 2.6)]
    assert unheard([], near) == near
    assert unheard([], [(1.0, 1.6), (4.0, 4.6)]) == []
    assert unheard([Word(1.75, 1.85, "so")], [(1.0, 1.5), (2.1, 2.7)]) == []


def test_words_heard_again_come_between_those_of_one_segment() -> None:
    first = Segment(0, 0, "", (), -0.4, 0.1)
    again = Segment(0, 0, "", (), -0.7, 0.2)
    result = filled([segment_of([*OPEN, *SEND], first)], [segment_of(PRESS, again)], [SPEECH[1]])
    assert [segment.text for segment in result] == [
        "Open the settings page.", "Press the green button.", "Send the order.",
    ]  # fmt: skip
    assert [segment.avg_logprob for segment in result] == [-0.4, -0.7, -0.4]


def test_words_outside_of_the_gap_are_not_taken() -> None:
    more = segment_of([*OPEN[-1:], *PRESS, *SEND[:1]])
    [_, new, _] = filled([segment_of(OPEN), segment_of(SEND)], [more], [SPEECH[1]])
    assert new.text == "Press the green button."


def test_what_stands_beside_the_gap_already_is_not_said_twice() -> None:
    squeezed = [*OPEN, *said("Press the green button.", 3.5, 3.9)]
    before = (segment_of(squeezed), segment_of(SEND))
    assert filled(before, [segment_of(PRESS)], [SPEECH[1]]) == before
