"""Invented text goes, said text stays, and what went is shown."""

from __future__ import annotations

import pytest

from tests.fixtures.speech import sound
from workers.language import guards
from workers.language.records import Segment, Span, Transcript, Word, segment_of


def said(text: str, *, at_s: float = 0.0, step_s: float = 0.3, probability: float = 0.95) -> list[Word]:
    return [Word(at_s + step_s * n, at_s + step_s * (n + 1), word, probability) for n, word in enumerate(text.split())]


def segment(
    text: str,
    *,
    at_s: float = 0.0,
    step_s: float = 0.3,
    probability: float = 0.95,
    avg_logprob: float = -0.3,
    no_speech_prob: float = 0.05,
) -> Segment:
    words = said(text, at_s=at_s, step_s=step_s, probability=probability)
    return segment_of(words, Segment(0, 0, "", (), avg_logprob, no_speech_prob))


def guarded(*segments: Segment, speech: list[Span] | None = None) -> Transcript:
    heard = speech if speech is not None else [(0.0, 60.0)]
    return guards.apply(Transcript("en", 1.0, segments, model="base"), heard)


GOOD = "Open the settings page and choose the invoice tab."


@pytest.mark.parametrize(
    ("reason", "invented", "speech"),
    [
        ("silence", segment("You", at_s=10, probability=0.3, avg_logprob=-0.9, no_speech_prob=0.9), [(0, 30)]),
        ("outside_speech", segment("So there we are", at_s=10), [(0, 5)]),
        ("outside_speech", segment("Maybe that one over there", at_s=10, probability=0.45), [(0, 10.4)]),
        ("phrase", segment("Thanks for watching!", at_s=10, probability=0.4), [(0, 30)]),
        ("phrase", segment("Thanks for watching!", at_s=10), [(0, 10.2)]),
        ("phrase", segment("Untertitel im Auftrag des ZDF", at_s=10, no_speech_prob=0.8), [(0, 30)]),
        ("loop", segment("ha " * 60, at_s=10), [(0, 60)]),
        ("rate", segment("one two three four five six seven eight", at_s=10, step_s=0.1), [(0, 30)]),
        ("rate", segment("So we", at_s=10, step_s=5, avg_logprob=-0.9, probability=0.6), [(0, 30)]),
        ("unsure", segment("sucking the turtle in this", at_s=10, probability=0.52, avg_logprob=-1.17), [(0, 30)]),
        ("unsure", segment("well for this its near good", at_s=10, probability=0.4, avg_logprob=-0.93), [(0, 30)]),
    ],
)
def test_invented_text_goes_and_stays_visible_with_its_reason(
    reason: str, invented: Segment, speech: list[Span]
) -> None:
    transcript = guarded(segment(GOOD), invented, speech=speech)
    assert transcript.text == GOOD
    [removed] = transcript.removed
    assert (removed.reason, removed.text, removed.start_s) == (reason, invented.text, 10.0)


@pytest.mark.parametrize(
    "spoken",
    [
        segment("Thank you for watching.", at_s=10),
        segment("No, no, no.", at_s=10),
        segment("Press it again and again and again until it stops.", at_s=10),
        segment("Maybe that one over there", at_s=10, probability=0.45),
        segment("The pump is loud here", at_s=10, avg_logprob=-0.95, probability=0.6),
        segment("Yes.", at_s=10, no_speech_prob=0.7),
        segment("Okay.", at_s=10, step_s=0.12),
        segment("And now", at_s=10, step_s=5),
        segment("No no no no.", at_s=10),
    ],
)
def test_one_signal_alone_drops_nothing(spoken: Segment) -> None:
    transcript = guarded(segment(GOOD), spoken)
    assert transcript.text == f"{GOOD} {spoken.text}"
    assert transcript.removed == ()


def test_sure_words_stay_where_little_speech_was_heard() -> None:
    spoken = segment("Maybe that one there", at_s=10)
    assert guarded(spoken, speech=[(0, 10.2), (11.3, 11.5)]).removed == ()


def test_a_loop_keeps_what_was_said_once_and_the_rest_of_its_segment() -> None:
    transcript = guarded(segment("Now press save the file save the file save the file save the file and stop"))
    assert transcript.text == "Now press save the file and stop"
    [removed] = transcript.removed
    assert (removed.reason, removed.text) == ("loop", "save the file save the file save the file")


def test_a_loop_over_several_segments_is_one_loop() -> None:
    again = [segment("I will see you there.", at_s=5.0 * n) for n in range(6)]
    transcript = guarded(*again)
    assert transcript.text == "I will see you there."
    assert [removed.reason for removed in transcript.removed] == ["loop"]


def test_without_speech_nothing_stays() -> None:
    transcript = guarded(segment(GOOD), segment("Thank you."), speech=[])
    assert transcript.segments == ()
    assert [removed.reason for removed in transcript.removed] == ["outside_speech", "outside_speech"]


def test_what_was_removed_before_stays_in_the_list() -> None:
    once = guarded(segment("Thanks for watching!", probability=0.4))
    again = guards.apply(once, once.speech)
    assert again == once
    assert len(again.removed) == 1


TRUE_SPEECH = [(0.864, 3.584), (4.096, 6.24), (9.28, 11.488)]


def test_word_times_keep_inside_the_speech_they_belong_to() -> None:
    words = (
        Word(0.1, 1.1, "Open"),
        Word(1.1, 3.5, "it."),
        Word(4.0, 5.9, "Press"),
        Word(5.9, 8.9, "save."),
        Word(9.0, 9.6, "Finally"),
        Word(9.6, 14.0, "stop."),
    )
    [kept] = guarded(segment_of(words), speech=TRUE_SPEECH).segments
    for word, (start_s, end_s) in zip(kept.words, [span for span in TRUE_SPEECH for _ in "ab"], strict=True):
        assert start_s <= word.start_s <= word.end_s <= end_s
    assert [word.start_s for word in kept.words] == sorted(word.start_s for word in kept.words)


def test_a_word_that_slipped_over_a_pause_comes_back() -> None:
    words = [*said("Press the green button to", at_s=4.1), Word(8.9, 9.1, "save."), *said("Now send it", at_s=9.3)]
    kept = guarded(segment_of(words), speech=TRUE_SPEECH).words
    assert 4.1 < kept[5].start_s < 6.24
    assert kept[6].start_s >= 9.28


def _spoken(words: list[Word]) -> list[Span]:
    """The stretches of speech between pauses above 0.1 s."""
    spoken: list[Span] = []
    for word in words:
        if spoken and word.start_s - spoken[-1][1] <= 0.1:
            spoken[-1] = (spoken[-1][0], word.end_s)
        else:
            spoken.append((word.start_s, word.end_s))
    return spoken


@pytest.mark.parametrize("lag_s", [-0.15, 0.0, 0.12])
def test_a_constant_lag_of_the_model_is_found_and_taken_away(lag_s: float) -> None:
    truth = sound.instructions_truth()
    late = [Word(word.start_s + lag_s, word.end_s + lag_s, word.text) for word in truth]
    kept = guarded(segment_of(late), speech=_spoken(truth)).words
    errors_s = sorted(abs(word.start_s - true.start_s) for word, true in zip(kept, truth, strict=True))
    assert errors_s[len(errors_s) // 2] <= max(0.02, abs(lag_s) / 2)
    assert errors_s[-1] <= 0.3
