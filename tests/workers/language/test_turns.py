"""What words and meaning say for a turn of topic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from learn.embedding import Embedder
from tests.workers.language.test_chapters import BADGE, COFFEE
from workers.language.turns import AROUND, NUMBERS, around, fitted, log_odds, number_clues, word_clues


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def _odds(embedder: Embedder, texts: Sequence[str]) -> float:
    """The log odds of a turn at the fifth sentence."""
    return float(log_odds(texts, embedder.embed(list(texts)))[4])


def test_a_sentence_that_announces_the_next_step_says_turn_and_one_that_leans_back_says_none(
    embedder: Embedder,
) -> None:
    def at_fifth(opening: str) -> float:
        return _odds(embedder, [*COFFEE[:4], opening + COFFEE[4], *COFFEE[5:]])

    assert at_fifth("Okay, next, ") > at_fifth("") + 1 > at_fifth("Because otherwise ")


def test_where_the_meaning_changes_a_turn_is_likelier_than_where_it_goes_on(embedder: Embedder) -> None:
    assert _odds(embedder, [*COFFEE[:4], *BADGE]) > _odds(embedder, [*COFFEE[:4], *COFFEE[4:], *BADGE]) + 1


def test_the_words_that_are_looked_at_are_first_words_and_those_of_the_neighbours() -> None:
    clues = list(word_clues(["Next, open it.", "", "Wait here until it is warm, and not longer."]))
    assert clues[0] == ["first:next", "first:next open", "in:it", "in:next", "in:open"]
    assert clues[1] == ["after:wait", "before:next"]
    assert "in:warm" in clues[2]
    assert "in:and" not in clues[2]


def test_around_the_edges_there_is_nothing() -> None:
    rows = np.eye(3)
    found = around(rows)
    assert found.shape == (3, len(AROUND), 3)
    assert not found[0, 0].any()
    assert not found[2, 3].any()
    assert found[1].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_the_weights_fit_what_is_looked_at() -> None:
    weights = fitted()
    assert weights.numbers.shape == (len(NUMBERS),)
    assert weights.vectors.shape == (len(AROUND), 384)
    assert len(weights.words) > 500


@given(some.lists(some.text(max_size=40), max_size=12))
def test_any_text_has_odds(texts: list[str]) -> None:
    vectors = np.random.default_rng(1).normal(size=(len(texts), 384)).astype(np.float32)
    assert np.isfinite(log_odds(texts, vectors)).all()
    assert number_clues(texts, vectors.astype(np.float64)).shape == (len(texts), len(NUMBERS))
