"""Sentences are cut from words, by punctuation and pauses."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.language.records import Removed, Segment, Transcript, Word, join_words, segment_of
from workers.language.sentences import cut_at_sentences, sentences


def said(text: str, *, at_s: float = 0.0, step_s: float = 0.3) -> list[Word]:
    """Words at a steady pace, with no pause between them."""
    return [Word(at_s + step_s * n, at_s + step_s * (n + 1), word, 0.95) for n, word in enumerate(text.split())]


def _texts(words: list[Word]) -> list[str]:
    return [sentence.text for sentence in sentences(words)]


def test_a_full_stop_ends_a_sentence() -> None:
    assert _texts(said("Open the settings page. Then choose the invoice tab!")) == [
        "Open the settings page.",
        "Then choose the invoice tab!",
    ]


def test_a_pause_ends_a_sentence_without_a_full_stop() -> None:
    words = said("open the settings page") + said("then choose the tab", at_s=2.0)
    assert _texts(words) == ["open the settings page", "then choose the tab"]


def test_points_in_numbers_and_abbreviations_end_nothing() -> None:
    text = "Set it to 3.5 bar, e.g. on the left pump, or ask Dr. Miller first."
    assert _texts(said(text)) == [text]


def test_a_first_word_that_was_put_before_the_pause_starts_its_sentence_after_it() -> None:
    words = [*said("In practice, you call."), Word(1.2, 1.25, "As"), *said("soon as it is approved.", at_s=4.0)]
    found = sentences(words)
    assert [one.text for one in found] == ["In practice, you call.", "As soon as it is approved."]
    assert (found[0].end_s, round(found[1].start_s, 2)) == (1.2, 3.95)


def test_what_whisper_calls_a_segment_does_not_matter() -> None:
    words = said("Open the settings page. Then choose the invoice tab.")
    whole = [segment_of(words)]
    odd = [segment_of(words[:2]), segment_of(words[2:7]), segment_of(words[7:])]
    assert sentences(whole) == sentences(odd) == sentences(words)


def test_a_short_answer_joins_its_neighbour_unless_silence_lies_between() -> None:
    assert _texts(said("Yes. Now press the green button.")) == ["Yes. Now press the green button."]
    apart = said("Now press the green button.") + said("Done.", at_s=10)
    assert _texts(apart) == ["Now press the green button.", "Done."]


def test_a_sentence_without_end_is_cut_at_commas_into_at_most_25_words() -> None:
    text = "we open the list and look for the name of the customer and the city, " * 4
    parts = sentences(said(text))
    assert all(4 <= len(part.text.split()) <= 25 for part in parts)
    assert all(part.text.endswith(",") for part in parts)


def test_times_are_those_of_the_first_and_last_word() -> None:
    [sentence] = sentences(said("Press the green button.", at_s=7.0))
    assert (sentence.start_s, round(sentence.end_s, 3)) == (7.0, 8.2)


def test_a_segment_without_words_is_spread_over_its_time() -> None:
    [first, second] = sentences([Segment(0, 10, "Open the settings page. Then choose the invoice tab.")])
    assert first.start_s == 0
    assert 4 < first.end_s < 5
    assert round(second.end_s, 6) == 10


def test_scripts_without_spaces_get_none() -> None:
    assert join_words(["設定", "を", "開く"]) == "設定を開く"
    assert join_words(["設定", "Excel", "を"]) == "設定 Excel を"


words_of_any_kind = st.lists(
    st.tuples(
        st.sampled_from(["open", "the", "page.", "now,", "well", "3.5", "Stop!", "ok?"]),
        st.floats(0, 2),
        st.floats(0, 1.5),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(words_of_any_kind)
def test_every_word_is_in_exactly_one_sentence_and_order_is_kept(drawn: list[tuple[str, float, float]]) -> None:
    words, at_s = [], 0.0
    for text, length_s, pause_s in drawn:
        words.append(Word(at_s, at_s + length_s, text))
        at_s += length_s + pause_s
    found = sentences(words)
    assert " ".join(sentence.text for sentence in found).split() == [word.text for word in words]
    assert all(len(sentence.text.split()) <= 25 for sentence in found)
    assert all(left.end_s <= right.start_s for left, right in pairwise(found))


def test_a_transcript_survives_json() -> None:
    words = [Word(0.125, 0.5, "Press", 0.75), Word(0.5, 1.25, "save.", 0.5)]
    removed = (Removed(2.0, 3.5, "Bye.", "phrase"),)
    transcript = Transcript("en", 0.875, (segment_of(words),), removed, "base", ((0.125, 1.25),))
    assert Transcript.from_json(transcript.to_json()) == transcript


def test_segments_cut_at_sentences_keep_every_word_and_its_time() -> None:
    words = said("Open the settings page. Then choose the invoice tab.")
    recut = cut_at_sentences([segment_of(words[:6]), segment_of(words[6:])])
    assert [segment.text for segment in recut] == ["Open the settings page.", "Then choose the invoice tab."]
    assert [word for segment in recut for word in segment.words] == words
