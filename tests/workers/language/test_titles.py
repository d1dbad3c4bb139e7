"""Titles from what is said."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workers.language.records import Sentence
from workers.language.titles import LONGEST, title, titles


def _said(*texts: str) -> list[Sentence]:
    return [Sentence(5.0 * at, 5.0 * at + 4.0, text) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Now upload the receipt, so that finance can see it.", "Upload the receipt"),
        ("In this video I will show you how to file an expense report.", "File an expense report"),
        ("First, you need to choose the cost centre from the list.", "Choose the cost centre"),
        ("The next step is to bleed the radiator.", "Bleed the radiator"),
        ("Finally, go ahead and submit the report for approval.", "Submit the report for approval"),
        ("Okay, let's print a test label.", "Print a test label"),
        ("We start by uploading the receipt.", "Upload the receipt"),
    ],
)
def test_a_step_is_named_by_its_verb_and_object(said: str, expected: str) -> None:
    assert title(_said(said)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Clear ice is the treacherous one. Keep the jet flat.", "Keep the jet flat"),
        ("Write down what is nearly empty. Count the kegs.", "Count the kegs"),
        ("Press them. Push from the inside. Clamp the bar in the vise.", "Clamp the bar in the vise"),
        ("Look for the project number instead.", "Look for the project number"),
    ],
)
def test_a_subject_a_half_sentence_and_a_verb_without_object_name_nothing(said: str, expected: str) -> None:
    assert title(_said(*re.findall(r"[^.]+\.", said))) == expected


def test_words_that_set_the_chapter_apart_win() -> None:
    own = _said("Open the page.", "Now attach the receipt.", "The receipt can be a photo.")
    others = _said("Open the page.", "Open the page again and choose the project.")
    assert title(own, others) == "Attach the receipt"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Morning! While it's open, I wipe the seat clean.", "Wipe the seat clean"),
        ("If the two disagree by more than a tenth, calibrate the probe.", "Calibrate the probe"),
        ("The dough rests here. Open the lid.", "Open the lid"),
    ],
)
def test_a_verb_inside_a_sentence_names_the_step_where_none_opens_one(said: str, expected: str) -> None:
    assert title(_said(*re.findall(r"[^.!]+[.!]", said))) == expected


def test_without_a_verb_the_clause_that_says_most_names_it() -> None:
    assert title(_said("Our holiday rules, in short.")) == "Our holiday rules"
    own = _said("Quick.", "The equipment list has inspection dates.", "The inspection dates are red.")
    assert title(own, _said("Quick.")) == "The equipment list has inspection dates"


def test_titles_of_one_recording_differ() -> None:
    named = titles([_said("Open the portal."), _said("Open the portal."), _said("Open the portal.")])
    assert len({name.casefold() for name in named}) == 3
    assert all(name.startswith("Open the portal") for name in named)


def test_a_chapter_without_words_still_has_a_title() -> None:
    assert titles([_said("", " ... "), []]) == ["Part 1", "Part 2"]


def test_a_long_step_is_cut_between_words() -> None:
    named = title(_said("Install the replacement hydraulic accumulator assembly underneath the conveyor platform."))
    assert len(named) <= LONGEST
    assert named == "Install the replacement hydraulic accumulator"


@pytest.mark.parametrize("said", ["Öffnen Sie das Portal und wählen Sie Bericht.", "レポートを開いてください。" * 9])
def test_other_languages_get_their_first_clause(said: str) -> None:
    assert said.startswith(title(_said(said)))


WORDS = """open close the a your printer, report. hydraulic accumulator it is and then because now once press button.
    with under replacement conveyor so that we you should Müller's don't 24 valve, uploading by how to"""
words = some.sampled_from(WORDS.split())
spoken = some.lists(some.lists(words, min_size=1, max_size=25).map(" ".join), min_size=1, max_size=5)


@given(some.lists(spoken, min_size=1, max_size=6))
def test_titles_differ_fit_a_line_and_cut_no_word(chapters: list[list[str]]) -> None:
    named = titles([_said(*texts) for texts in chapters])
    assert len({name.casefold() for name in named}) == len(chapters)
    for name, texts in zip(named, chapters, strict=True):
        assert 0 < len(name) <= LONGEST
        bare = re.sub(r" \(\d+\)$", "", name).casefold()
        known = {word.strip(".,") for word in " ".join(texts).casefold().split()}
        known |= {"upload"}  # what "by uploading" becomes
        assert re.fullmatch(r"part \d+", bare) or set(bare.split()) <= known
