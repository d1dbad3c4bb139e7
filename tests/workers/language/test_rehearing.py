"""Only what sounds like a term is heard again, and of what is heard then, only terms are taken."""

from __future__ import annotations

from workers.language.glossary import Term
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.language.rehearing import Rehearing, rehearing, with_terms

TERMS = [Term("Kubernia"), Term("Zentara"), Term("PalletPro"), Term("Teams")]
SPEECH: tuple[Span, ...] = ((0.0, 3.0), (3.3, 4.0), (5.0, 8.0), (10.0, 13.0))


def said(text: str, span: Span) -> Segment:
    texts = text.split()
    step_s = (span[1] - span[0]) / len(texts)
    return segment_of([Word(span[0] + step_s * n, span[0] + step_s * (n + 1), word) for n, word in enumerate(texts)])


def heard(first: str, second: str, third: str) -> Transcript:
    segments = (said(first, (0.0, 4.0)), said(second, SPEECH[2]), said(third, SPEECH[3]))
    return Transcript("en", 1.0, segments, speech=SPEECH)


BEFORE = heard("Open the Zintara page now.", "Close the valve.", "Write it into Zentara.")
ASKED = Rehearing(("Zentara", "PalletPro", "Teams"), SPEECH)


def test_a_sentence_that_sounds_like_a_term_is_heard_again_and_one_that_has_it_right_is_not() -> None:
    assert rehearing(BEFORE, "A page", TERMS) == Rehearing(("Zentara",), SPEECH[:2])


def test_a_term_of_the_title_is_listened_for_where_it_may_have_been_said() -> None:
    clip = heard("Open the settings page now.", "Look at coverage.", "Close the valve.")
    assert rehearing(clip, "A page", TERMS).speech == ()
    assert rehearing(clip, "Use of Kubernia", [Term("Kubernia", ("coverania",))]).speech == (SPEECH[2],)


def test_nothing_is_heard_again_without_a_glossary_or_a_likeness() -> None:
    assert rehearing(BEFORE, "Zentara", []).speech == ()
    assert rehearing(Transcript(), "Zentara", TERMS).speech == ()


def test_only_terms_are_taken_and_each_change_is_named() -> None:
    again = heard("Opens the Zentara page now now.", "Close it.", "Write it.")
    result, [change] = with_terms(BEFORE, again, ASKED)
    assert result.text == "Open the Zentara page now. Close the valve. Write it into Zentara."
    assert (change.before, change.after) == ("Zintara", "Zentara")
    assert change.start_s == BEFORE.words[2].start_s


def test_words_keep_their_times() -> None:
    result, _ = with_terms(BEFORE, Transcript(segments=(said("Open the Zentara page now.", (0.5, 3.9)),)), ASKED)
    old, new = BEFORE.words[2], result.words[2]
    assert old.start_s <= new.start_s <= new.end_s <= old.end_s


def test_a_term_that_comes_out_of_nothing_is_not_taken() -> None:
    again = heard("Open the Zintara page now Zentara.", "Close the Zentara valve.", "Write it into Zentara.")
    assert with_terms(BEFORE, again, ASKED) == (BEFORE, [])


def test_a_word_that_is_only_written_large_stays() -> None:
    before = heard("Two teams are here now.", "Close the valve.", "Stop.")
    again = heard("Two Teams are here now.", "Close the valve.", "Stop.")
    assert with_terms(before, again, ASKED) == (before, [])


def test_a_term_that_swallows_a_sentence_is_not_taken() -> None:
    before = heard("Put it on a pal it probe.", "Close the valve.", "Stop.")
    good, [change] = with_terms(before, heard("Put it on a PalletPro.", "Close the valve.", "Stop."), ASKED)
    assert (good.segments[0].text, change.before) == ("Put it on a PalletPro.", "pal it probe.")
    assert with_terms(before, heard("PalletPro.", "Close the valve.", "Stop."), ASKED) == (before, [])
    longer = heard("Put it on a big new PalletPro machine here today.", "Close the valve.", "Stop.")
    assert with_terms(before, longer, ASKED) == (before, [])


def test_the_beginning_of_the_next_sentence_does_not_come_along() -> None:
    before = heard("Look at Zintara.", "Close the valve.", "Stop.")
    result, _ = with_terms(before, heard("Look at Zentara. The", "valve.", "Stop."), ASKED)
    assert result.segments[0].text == "Look at Zentara."
