"""Chapters from sentences whose topics are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from learn.embedding import Embedder
from workers.language.chapters import LEAD_S, MINIMUM_S, Boundary, boundaries, chapters, probabilities
from workers.language.records import Sentence

SAMPLES = Path(__file__).parents[3] / "samples"


COFFEE = (
    "Pull the tray out of the coffee machine and empty it into the sink.",
    "There is always a bit of old water in it, so keep it level.",
    "Lift the filter out and hold it under warm water.",
    "Rub the coffee grounds off with your thumb, and never use soap on it.",
    "The seal of the filter is black rubber and it wears out.",
    "If the coffee tastes bitter, the filter was not clean.",
    "Put the filter back until it clicks.",
    "Push the tray of the coffee machine in again.",
)
BADGE = (
    "A visitor needs a badge before they may walk through the building.",
    "Open the list of visitors and type the name as it stands in the passport.",
    "Choose the host, because the host gets a message when the visitor arrives.",
    "Place the empty badge on the printer and press print.",
    "The badge opens the front door and the lift, but no office.",
    "It stops working at six in the evening.",
    "Tell the visitor to wear the badge where everybody sees it.",
    "When the visitor leaves, the badge goes into the box at the door.",
)
NEITHER = "This one is quick."


def _spoken(texts: Sequence[str], *, pauses_s: dict[int, float] | None = None, each_s: float = 5.0) -> list[Sentence]:
    at = 0.5
    sentences = []
    for index, text in enumerate(texts):
        at += (pauses_s or {}).get(index, 0.2)
        sentences.append(Sentence(at, at + each_s, text))
        at += each_s
    return sentences


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def _vectors(topics: list[int], *, seed: int = 1, noise: float = 0.6) -> NDArray[np.float32]:
    """Vectors that mean nothing, alike within a topic."""
    random = np.random.default_rng(seed)
    means = np.eye(384)[np.array(topics, dtype=int)]
    rows = means + noise * random.normal(size=means.shape) / 384**0.5
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _cuts(embedder: Embedder, sentences: list[Sentence], scene_changes_s: Sequence[float] = ()) -> list[Boundary]:
    vectors = embedder.embed([sentence.text for sentence in sentences])
    return boundaries(sentences, vectors, duration_s=sentences[-1].end_s + 1, scene_changes_s=scene_changes_s)


def _found(embedder: Embedder, sentences: list[Sentence], scene_changes_s: Sequence[float] = ()) -> list[int]:
    return [cut.index for cut in _cuts(embedder, sentences, scene_changes_s)]


def test_a_new_topic_starts_a_chapter_without_any_pause(embedder: Embedder) -> None:
    assert _found(embedder, _spoken([*COFFEE, *BADGE])) == [len(COFFEE)]
    assert _found(embedder, _spoken([*BADGE, *COFFEE])) == [len(BADGE)]


@pytest.mark.parametrize("topic", [COFFEE, BADGE])
def test_one_topic_is_one_chapter_whatever_its_pauses(embedder: Embedder, topic: Sequence[str]) -> None:
    assert _found(embedder, _spoken(topic)) == []
    assert _found(embedder, _spoken(topic, pauses_s={3: 1.5, 6: 2.0})) == []


def test_no_chapter_is_shorter_than_fifteen_seconds() -> None:
    topics = [0, 1, 2, 3, 4, 5] * 5
    sentences = _spoken([f"Sentence {index}." for index in range(len(topics))])
    edges = [0.0, *(cut.start_s for cut in boundaries(sentences, _vectors(topics), duration_s=160.0)), 160.0]
    assert min(after - before for before, after in pairwise(edges)) >= MINIMUM_S - LEAD_S


def test_between_two_places_the_pause_decides(embedder: Embedder) -> None:
    texts = [*COFFEE, NEITHER, *BADGE]
    assert _found(embedder, _spoken(texts, pauses_s={8: 1.5}))[0] == 8
    assert _found(embedder, _spoken(texts, pauses_s={9: 1.5}))[0] == 9


def test_between_two_places_the_screen_decides(embedder: Embedder) -> None:
    sentences = _spoken([*COFFEE, NEITHER, *BADGE])
    for at in (8, 9):
        assert _found(embedder, sentences, [sentences[at].start_s])[0] == at


def test_chapters_cover_the_recording_without_gaps(embedder: Embedder) -> None:
    texts = [*COFFEE, *BADGE]
    made = chapters(_spoken(texts), embedder.embed(texts), duration_s=99.5)
    assert [made[0].start_s, made[-1].end_s] == [0.0, 99.5]
    assert all(before.end_s == after.start_s for before, after in pairwise(made))
    assert len(made) == 2
    assert len({chapter.title for chapter in made}) == 2


def test_nothing_said_gives_no_chapters() -> None:
    assert chapters([], np.zeros((0, 384), np.float32), duration_s=30.0) == []


def test_a_single_word_is_one_chapter_as_long_as_the_recording() -> None:
    made = chapters([Sentence(1.0, 1.2, "Hm.")], _vectors([0]), duration_s=4.0)
    assert [(chapter.start_s, chapter.end_s, chapter.confidence) for chapter in made] == [(0.0, 4.0, 1.0)]
    assert made[0].title


def test_a_clear_turn_is_surer_than_a_vague_one(embedder: Embedder) -> None:
    clear = _cuts(embedder, _spoken([*COFFEE, *BADGE], pauses_s={8: 1.5}))
    vague = _cuts(embedder, _spoken([*COFFEE[:7], *BADGE[:2], COFFEE[7], *BADGE[2:]]))
    assert 0.0 <= vague[0].confidence < clear[0].confidence <= 1.0


def test_a_change_of_the_screen_alone_makes_no_chapter(embedder: Embedder) -> None:
    sentences = _spoken(COFFEE)
    assert _found(embedder, sentences, [sentences[4].start_s]) == []


def test_probabilities_are_those_of_all_ways_counted_one_by_one() -> None:
    count = 6
    table = np.triu(np.random.default_rng(3).normal(size=(count + 1, count + 1)), 1)
    table[np.tril_indices(count + 1)] = table[1, 2] = -np.inf  # a chapter of the second sentence alone is not allowed
    odds = {}
    for turns in range(count):
        for cuts in combinations(range(1, count), turns):
            odds[cuts] = np.exp(sum(table[way] for way in pairwise([0, *cuts, count])))
    expected = [sum(odd for cuts, odd in odds.items() if at in cuts) / sum(odds.values()) for at in range(count)]
    probable, whole = probabilities(table)
    assert probable == pytest.approx(expected)
    assert whole == pytest.approx(odds[()] / sum(odds.values()))


def test_vectors_of_other_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="2 sentences but 3 vectors"):
        boundaries(_spoken(COFFEE[:2]), _vectors([0, 0, 0]), duration_s=10.0)


@given(
    some.lists(
        some.tuples(some.floats(0, 20), some.floats(0, 20), some.integers(0, 5), some.text(max_size=60)),
        max_size=40,
    ),
    some.floats(0, 400),
    some.lists(some.floats(0, 400), max_size=8),
)
def test_whatever_is_said_chapters_are_whole_and_named(
    spoken: list[tuple[float, float, int, str]], duration_s: float, scene_changes_s: list[float]
) -> None:
    at = 0.0
    sentences = []
    for pause_s, lasts_s, _, text in spoken:
        sentences.append(Sentence(at + pause_s, at + pause_s + lasts_s, text))
        at += pause_s + lasts_s
    vectors = _vectors([topic for *_, topic, _ in spoken])
    made = chapters(sentences, vectors, duration_s=duration_s, scene_changes_s=scene_changes_s)
    assert bool(made) == bool(sentences)
    assert all(before.end_s == after.start_s for before, after in pairwise(made))
    assert all(chapter.start_s <= chapter.end_s for chapter in made)
    assert all(0.0 <= chapter.confidence <= 1.0 for chapter in made)
    named = [chapter.title.casefold() for chapter in made]
    assert all(0 < len(name.strip()) <= 45 for name in named)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("scene_changes_s", [(8.0, 16.5, 26.7, 69.7, 78.5), (7.0, 17.0, 27.0, 69.0, 79.0), ()])
def test_the_sample_recording_gets_its_four_steps_whatever_is_known_of_its_screen(
    embedder: Embedder, scene_changes_s: tuple[float, ...]
) -> None:
    truth = json.loads((SAMPLES / "expense-report.truth.json").read_text())
    said = [Sentence(one["start_s"], one["end_s"], one["text"]) for one in truth["transcript"]]
    vectors = embedder.embed([sentence.text for sentence in said])
    found = chapters(said, vectors, duration_s=truth["duration_s"], scene_changes_s=scene_changes_s)
    assert [chapter.start_s for chapter in found] == pytest.approx([step["start_s"] for step in truth["steps"]], abs=1)
    assert [chapter.title for chapter in found[1:]] == [
        "Upload the receipt", "Choose the cost center", "Submit the report for approval",
    ]  # fmt: skip
