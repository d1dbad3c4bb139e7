"""Words are compared as people mean them: without case, accents and endings, and with a slip of the finger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learn.terms import content_words, edits, likeness, terms, words


def test_case_accents_and_endings_do_not_matter() -> None:
    assert terms("Printing the INVOICES, naïvely") == terms("print the invoice, naively")


def test_words_of_scripts_without_spaces_are_pairs_of_characters() -> None:
    assert words("打印标签 A4") == ["打印", "印标", "标签", "a4"]


def test_the_words_of_asking_are_left_out() -> None:
    assert content_words("How do I reset my password?") == {"reset", "password"}
    assert content_words("what is this?") == set()


@pytest.mark.parametrize(
    ("asked", "known", "alike"),
    [
        ("prnter", "printer", True),
        ("calibrte", "calibrate", True),
        ("pritn", "print", True),
        ("druck", "druckertreiber", True),
        ("e42", "e43", False),
        ("1042", "1043", False),
        ("cat", "car", False),
        ("lever", "label", False),
    ],
)
def test_a_slip_is_forgiven_but_another_word_is_not_taken(asked: str, known: str, alike: bool) -> None:
    assert (likeness(asked, known) > 0) is alike


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_counting_slips_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert edits(one, other) == edits(other, one)
    assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))
    assert (edits(one, other) == 0) == (one == other)


@given(st.text(max_size=60))
def test_any_text_has_words_that_are_words(text: str) -> None:
    assert all(word and len(word) <= 40 for word in words(text))
