"""Only what sounds like a term is heard again, and of what is heard then, only terms are taken."""

from __future__ import annotations

from workers.language.glossary import Rule, Term, correct
from workers.language.records import Segment, Span, Transcript, Word, segment_of
from workers.language.rehearing import Rehearing, as_heard, rehearing, with_terms

TERMS = [Term("Kubernia"), Term("Zentara"), Term("PalletPro"), Term("Teams")]
UNCOMMON = frozenset({"zintara", "kubernia", "zentara", "palletpro", "pallets", "xylophone"})
SPEECH: tuple[Span, ...] = ((0.0, 3.0), (3.3, 4.0), (5.0, 8.0), (10.0, 13.0))


def said(text: str, span: Span, probability: float = 1.0) -> Segment:
    texts = text.split()
    step_s = (span[1] - span[0]) / len(texts)
    return segment_of(
        [Word(span[0] + step_s * n, span[0] + step_s * (n + 1), word, probability) for n, word in enumerate(texts)]
    )


def heard(first: str, second: str, third: str, probability: float = 1.0) -> Transcript:
    segments = (said(first, (0.0, 4.0), probability), said(second, SPEECH[2]), said(third, SPEECH[3]))
    return Transcript("en", 1.0, segments, speech=SPEECH)


BEFORE = heard("Open the Zintara page now.", "Close the valve.", "Write it into Zentara.")
ASKED = Rehearing((Term("Zentara"), Term("PalletPro"), Term("Teams")), SPEECH)


def is_common(word: str) -> bool:
    return word not in UNCOMMON


def test_a_sentence_that_sounds_like_a_term_is_heard_again_and_one_that_has_it_right_is_not() -> None:
    assert rehearing(BEFORE, "A page", TERMS, is_common) == Rehearing((Term("Zentara"),), SPEECH[:2])


def test_a_term_of_the_title_is_listened_for_where_it_may_have_been_said() -> None:
    clip = heard("Open the settings page now.", "Look at coverage.", "Close the valve.")
    assert rehearing(clip, "A page", TERMS, is_common).speech == ()
    assert rehearing(clip, "Use of Kubernia", [Term("Kubernia", ("coverania",))], is_common).speech == (SPEECH[2],)


def test_nothing_is_heard_again_without_a_glossary_or_a_likeness() -> None:
    assert rehearing(BEFORE, "Zentara", [], is_common).speech == ()
    assert rehearing(Transcript(), "Zentara", TERMS, is_common).speech == ()


def test_only_terms_are_taken_and_each_change_is_named() -> None:
    again = heard("Opens the Zentara page now now.", "Close it.", "Write it.")
    result, [change] = with_terms(BEFORE, again, ASKED, is_common)
    assert result.text == "Open the Zentara page now. Close the valve. Write it into Zentara."
    assert (change.before, change.after) == ("Zintara", "Zentara")
    assert (change.start_s, change.rule) == (BEFORE.words[2].start_s, Rule.HEARD_AGAIN)


def test_words_keep_their_times() -> None:
    result, _ = with_terms(
        BEFORE, Transcript(segments=(said("Open the Zentara page now.", (0.5, 3.9)),)), ASKED, is_common
    )
    old, new = BEFORE.words[2], result.words[2]
    assert old.start_s <= new.start_s <= new.end_s <= old.end_s


def test_a_term_that_comes_out_of_nothing_is_not_taken() -> None:
    again = heard("Open the Zintara page now Zentara.", "Close the Zentara valve.", "Write it into Zentara.")
    assert with_terms(BEFORE, again, ASKED, is_common) == (BEFORE, [])


def test_a_word_that_is_only_written_large_stays() -> None:
    before = heard("Two teams are here now.", "Close the valve.", "Stop.")
    again = heard("Two Teams are here now.", "Close the valve.", "Stop.")
    assert with_terms(before, again, ASKED, is_common) == (before, [])


def test_a_word_that_is_written_large_after_a_preposition_is_a_name() -> None:
    before = heard("Write in teams to us.", "Work in teams of three.", "Load is lost between teams.")
    again = heard("Write in Teams to us.", "Work in teams of three.", "Load is lost between Teams.")
    result, [change] = with_terms(before, again, ASKED, is_common)
    assert result.text == "Write in Teams to us. Work in teams of three. Load is lost between teams."
    assert (change.before, change.after, change.rule) == ("teams", "Teams", Rule.HEARD_AGAIN)


def test_a_term_of_which_one_word_was_right_before_is_taken() -> None:
    portal = Rehearing((Term("TIA Portal"),), SPEECH)
    before = heard("Start the TI portal first.", "Close the valve.", "Stop.")
    again = heard("Start the TIA Portal first.", "Close the valve.", "Stop.")
    result, [change] = with_terms(before, again, portal, is_common)
    assert (result.segments[0].text, change.before) == ("Start the TIA Portal first.", "TI portal")


def test_several_everyday_words_much_like_a_term_give_way_except_after_an_article() -> None:
    sales = Rehearing((Term("Salesforce"),), SPEECH)
    before = heard("Enter the order and sales first now.", "Close the valve.", "Ask the sales first.")
    again = heard("Enter the order in Salesforce now.", "Close the valve.", "Ask the Salesforce.")
    assert with_terms(before, again, sales, is_common)[0].text == (
        "Enter the order and Salesforce now. Close the valve. Ask the sales first."
    )


def test_what_is_more_like_another_term_is_not_taken() -> None:
    asked = Rehearing((Term("Concur"), Term("Qonto")), SPEECH)
    before = heard("Look it up in Conto.", "Close the valve.", "Stop.", 0.4)
    again = heard("Look it up in Concur.", "Close the valve.", "Stop.")
    assert with_terms(before, again, asked, is_common) == (before, [])


def test_a_term_keeps_its_possessive() -> None:
    asked = Rehearing((Term("Holtman"), Term("Siemens")), SPEECH)
    before = heard("Haltman's order from semen's, yes.", "Close the valve.", "Stop.", 0.4)
    again = heard("Holtman order from Siemens, yes.", "Close the valve.", "Stop.")
    result, _ = with_terms(before, again, asked, is_common)
    assert result.segments[0].text == "Holtman's order from Siemens, yes."


def test_what_a_term_was_heard_as_means_it_everywhere_in_the_clip() -> None:
    rexroth = Rehearing((Term("Rexroth"),), SPEECH)
    uncommon = frozenset(("recroft",))
    before = heard("The motor from recroft hums.", "Close the valve.", "A drop under the recroft, please.", 0.4)
    again = heard("The motor from Rexroth hums.", "Close the valve.", "A drop under it please.")
    once, changes = with_terms(before, again, rexroth, lambda word: word not in uncommon)
    told = as_heard(changes, rexroth.terms, lambda word: word not in uncommon)
    assert told == [Term("Rexroth", ("recroft",))]
    assert correct(once, told, is_common=lambda word: word not in uncommon)[0].text.count("Rexroth") == 2
    assert as_heard(changes, rexroth.terms, lambda _: True) == []


def test_only_the_words_that_a_term_is_alike_to_give_way() -> None:
    before = heard("Put it on a pal it probe now.", "Close the valve.", "Stop.", 0.4)
    again = heard("Put it onto PalletPro machines now.", "Close the valve.", "Stop.")
    result, [change] = with_terms(before, again, ASKED, is_common)
    assert (result.segments[0].text, change.before) == ("Put it on a PalletPro now.", "pal it probe")
    assert with_terms(before, heard("PalletPro.", "Close the valve.", "Stop."), ASKED, is_common)[1] == [change]


def test_everyday_words_that_the_model_was_sure_of_stay() -> None:
    for said_before in ("Put it on a pal it probe.", "Put it on a pallet.", "Put it on a pallets."):
        before = heard(said_before, "Close the valve.", "Stop.", 0.9)
        again = heard("Put it on a PalletPro.", "Close the valve.", "Stop.")
        assert with_terms(before, again, ASKED, is_common) == (before, [])


def test_a_word_that_is_alike_to_no_term_stays() -> None:
    before = heard("Put it on the xylophone.", "Close the valve.", "Stop.", 0.3)
    assert with_terms(before, heard("Put it on the Zentara.", "Close.", "Stop."), ASKED, is_common) == (before, [])


def test_a_common_word_written_as_a_name_is_heard_again_and_gives_way() -> None:
    clip = heard("Look at the Century page.", "Close the valve.", "Look at the century.")
    asked = rehearing(clip, "", TERMS, is_common)
    assert asked == Rehearing((Term("Zentara"),), (*SPEECH[:2], SPEECH[3]))
    again = heard("Look at the Zentara page.", "Close the valve.", "Look at the Zentara.")
    result, [change] = with_terms(clip, again, asked, is_common)
    assert (change.before, result.segments[2].text) == ("Century", "Look at the century.")


def test_the_beginning_of_the_next_sentence_does_not_come_along() -> None:
    before = heard("Look at Zintara.", "Close the valve.", "Stop.")
    again = heard("Look at Zentara. The", "valve.", "Stop.")
    assert with_terms(before, again, ASKED, is_common)[0].segments[0].text == "Look at Zentara."
