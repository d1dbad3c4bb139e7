"""The company's words are put right, and everybody's words are left alone."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from workers.language.glossary import Rule, Term, correct, hotwords_for
from workers.language.records import Transcript, Word, segment_of
from workers.language.sounds import sound
from workers.media import weights
from workers.stages.transcribe import everyday_words

TERMS = [
    Term("Kubernia"),
    Term("Zentara"),
    Term("Palvex", ("pelvic's",)),
    Term("Oktaflow"),
    Term("Salesforce"),
    Term("Jira", ("gear a", "Gura")),
    Term("Grafana"),
    Term("Wiebke Sander", ("vip k sander",)),
    Term("TIA Portal"),
    Term("Teams"),
    Term("Workday"),
    Term("PalletPro"),
    Term("Trello"),
    Term("Datev"),
    Term("Asana"),
    Term("Notion"),
    Term("Qonto"),
    Term("Sage", ("stage",)),
    Term("invoice"),
]


@pytest.fixture(scope="module")
def everyday() -> frozenset[str]:
    return everyday_words(weights.resolve("tiny.en", Path()))


def transcript(text: str, probability: float = 0.9) -> Transcript:
    words = [Word(0.4 * n, 0.4 * n + 0.35, word, probability) for n, word in enumerate(text.split())]
    return Transcript("en", 1.0, (segment_of(words),), model="base")


@pytest.mark.parametrize(
    ("heard", "right"),
    [
        ("Log in to Cubernia now.", "Log in to Kubernia now."),
        ("The Zintara dashboard, please.", "The Zentara dashboard, please."),
        ("Octaflow needs a number.", "Oktaflow needs a number."),
        ("Attach the graffana chart.", "Attach the Grafana chart."),
        ("Attach the Grefona chart.", "Attach the Grafana chart."),
        ("Start the TIA portal first.", "Start the TIA Portal first."),
        ("Open work day before noon.", "Open Workday before noon."),
        ("Get it from Sales force now.", "Get it from Salesforce now."),
        ("Stand under the pallet pro here.", "Stand under the PalletPro here."),
        ("Open the jira ticket.", "Open the Jira ticket."),
        ("Take the number from sales force.", "Take the number from Salesforce."),
        ("Open gear a and log in.", "Open Jira and log in."),
        ("Ask vip k sander, whether it fits.", "Ask Wiebke Sander, whether it fits."),
        ("Start the tiaportal first.", "Start the TIA Portal first."),
        ("Is that (Zintara's) page?", "Is that (Zentara's) page?"),
        ("The pelvic's number is here.", "The Palvex number is here."),
    ],
)
def test_what_sounds_like_a_term_is_written_as_the_company_writes_it(
    everyday: frozenset[str], heard: str, right: str
) -> None:
    corrected, changes = correct(transcript(heard), TERMS, is_common=everyday.__contains__)
    assert corrected.text == right
    assert len(changes) == 1


@pytest.mark.parametrize(
    "said",
    [
        "Two teams meet on every work day in the sales office.",
        "It was a long work day, and no big sales force came on a normal work day.",
        "Now we go to the next stage of the process.",
        "The sales forms are in the invoices folder.",
        "In Salesforce, open the Jira ticket.",
        "Wiebke Sander knows the TIA Portal.",
        "A central area with a sage and a force.",
        "It is just below the confluence of two rivers.",
        "Turn the big gear a little, then the small gear a bit.",
        "The kubernetes cluster and the oak table are misspelled.",
        "Take 200 from 17mm to 3.5 bar.",
        "Push the trolley to the wall. Trolleys stay there.",
        "Sort them by the date of delivery, not in red, as a new list, and count to ten.",
    ],
)
def test_words_that_were_heard_rightly_are_never_touched(everyday: frozenset[str], said: str) -> None:
    before = transcript(said)
    corrected, changes = correct(before, TERMS, is_common=everyday.__contains__)
    assert changes == []
    assert corrected == before


def test_common_words_change_only_where_the_model_doubted_them(everyday: frozenset[str]) -> None:
    said = "Open the sales force page."
    for probability, expected in ((0.95, said), (0.7, said), (0.4, "Open the Salesforce page.")):
        heard = transcript(said, probability)
        assert correct(heard, TERMS, is_common=everyday.__contains__)[0].text == expected


def test_likeness_of_sound_alone_never_changes_everyday_words(everyday: frozenset[str]) -> None:
    for said in ("Put it on stand by mode.", "The date of delivery is not in.", "As an example, count to ten."):
        for probability in (0.9, 0.4, 0.1):
            heard = transcript(said, probability)
            assert correct(heard, [*TERMS, Term("Standbie")], is_common=everyday.__contains__) == (heard, [])


def test_each_change_says_by_which_rule_it_was_made(everyday: frozenset[str]) -> None:
    heard = transcript("Open gear a in tiaportal from Octaflow.")
    _, changes = correct(heard, TERMS, is_common=everyday.__contains__)
    assert [change.rule for change in changes] == [Rule.TOLD, Rule.SAME_LETTERS, Rule.SOUNDS_ALIKE]


def test_without_a_vocabulary_only_words_with_the_letters_of_a_term_change() -> None:
    sure = transcript("Open the zantar page in the sales force.", 0.95)
    assert correct(sure, TERMS)[0] == sure
    doubted = transcript("Open the sales force.", 0.4)
    assert correct(doubted, TERMS)[0].text == "Open the Salesforce."


def test_each_change_is_named_with_its_time_and_words_keep_their_place(everyday: frozenset[str]) -> None:
    heard = transcript("Ask vip k sander about Octaflow.")
    corrected, changes = correct(heard, TERMS, is_common=everyday.__contains__)
    assert [(round(change.start_s, 2), change.before, change.after) for change in changes] == [
        (0.4, "vip k sander", "Wiebke Sander"),
        (2.0, "Octaflow.", "Oktaflow."),
    ]
    words = corrected.words
    assert [word.text for word in words] == ["Ask", "Wiebke", "Sander", "about", "Oktaflow."]
    assert all(left.end_s <= right.start_s for left, right in pairwise(words))
    assert (words[1].start_s, words[2].end_s) == pytest.approx((0.4, 1.55))
    assert words[3] == heard.words[4]


def test_correcting_twice_changes_nothing_more(everyday: frozenset[str]) -> None:
    once, _ = correct(transcript("Open Zintara and gear a, please."), TERMS, is_common=everyday.__contains__)
    again, changes = correct(once, TERMS, is_common=everyday.__contains__)
    assert again == once
    assert changes == []


def test_a_term_never_swallows_its_neighbours_or_crosses_a_full_stop(everyday: frozenset[str]) -> None:
    heard = transcript("We use Salesforce. In Zintara, a new gear. A board opens.")
    corrected, _ = correct(heard, TERMS, is_common=everyday.__contains__)
    assert corrected.text == "We use Salesforce. In Zentara, a new gear. A board opens."


def test_only_a_handful_of_hotwords_is_named_and_only_what_the_text_suggests(everyday: frozenset[str]) -> None:
    def hotwords(text: str, terms: list[Term]) -> tuple[str, ...]:
        return hotwords_for(transcript(text).words, terms, is_common=everyday.__contains__)

    assert hotwords("How to open a Zintara ticket in Jira", TERMS)[:2] == ("Jira", "Zentara")
    assert hotwords("Change the filter of the pump", TERMS) == ()
    assert hotwords("Pay it from Kano now", TERMS) == ("Qonto",)
    names = ["Abeltor", "Brimvex", "Coldane", "Dornix", "Elvoka", "Farnell", "Gambrit", "Holtman", "Istrel", "Jorvik"]
    assert len(hotwords(" ".join(names), [Term(name) for name in names])) == 8


def test_a_glossary_of_thousands_touches_no_everyday_text(everyday: frozenset[str]) -> None:
    random = Random(1)
    syllables = re.findall("..[a-z]?", "palvexzentarakuberrinokaflobremoatorviksalforgrafana")
    many = [Term("".join(random.choices(syllables, k=random.randint(3, 4))).title()) for _ in range(5000)]
    said = transcript(
        "Open the outlet valve slowly, wait for the first four seconds, and close it again. Before the refund "
        "leaves the store, the customer gets a letter from the central office, or nothing at all.",
        0.45,
    )
    assert correct(said, many, is_common=everyday.__contains__) == (said, [])


def test_an_empty_glossary_or_transcript_is_no_trouble() -> None:
    assert correct(transcript("Press save."), []) == (transcript("Press save."), [])
    assert correct(Transcript(), TERMS) == (Transcript(), [])
    assert correct(transcript("Press save."), [Term("—"), Term("", ("",))])[1] == []


@pytest.mark.parametrize(
    ("left", "right"), [("palvex", "pelvics"), ("kubernia", "cubernia"), ("phone", "fone"), ("wright", "rite")]
)
def test_the_same_sound_has_the_same_key(left: str, right: str) -> None:
    assert sound(left) == sound(right)
