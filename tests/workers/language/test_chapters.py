"""Chapters from sentences whose topics are known."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from learn.embedding import Embedder
from workers.language.chapters import LEAD_S, MINIMUM_S, boundaries, chapters, probabilities
from workers.language.records import Sentence

SAMPLES = Path(__file__).parents[3] / "samples"


def _spoken(topics: list[int], *, pauses_s: dict[int, float] | None = None, each_s: float = 5.0) -> list[Sentence]:
    at = 0.5
    sentences = []
    for index, topic in enumerate(topics):
        at += (pauses_s or {}).get(index, 0.2)
        sentences.append(Sentence(at, at + each_s, f"Sentence {index} about topic {topic}."))
        at += each_s
    return sentences


def _vectors(topics: list[int], *, seed: int = 1, noise: float = 0.6) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    means = np.eye(64)[np.array(topics, dtype=int)]
    rows = means + noise * random.normal(size=means.shape) / 8
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _found(topics: list[int], sentences: list[Sentence] | None = None, *, noise: float = 0.6) -> list[int]:
    sentences = sentences or _spoken(topics)
    vectors = _vectors(topics, noise=noise)
    return [cut.index for cut in boundaries(sentences, vectors, duration_s=sentences[-1].end_s)]


def test_a_new_topic_starts_a_chapter_without_any_pause() -> None:
    assert _found([0] * 8 + [1] * 9 + [2] * 8) == [8, 17]


def test_one_topic_is_one_chapter_whatever_its_pauses() -> None:
    topics = [0] * 20
    sentences = _spoken(topics, pauses_s={6: 1.5, 13: 2.0})
    assert _found(topics, sentences) == []


def test_no_chapter_is_shorter_than_fifteen_seconds() -> None:
    topics = [0, 1, 2, 3, 4, 5] * 5
    sentences = _spoken(topics)
    edges = [0.0, *(cut.start_s for cut in boundaries(sentences, _vectors(topics), duration_s=160.0)), 160.0]
    assert min(after - before for before, after in pairwise(edges)) >= MINIMUM_S - LEAD_S


def test_between_two_equal_places_the_pause_decides() -> None:
    topics = [0] * 8 + [3] + [1] * 8  # the middle sentence belongs to neither
    early = _found(topics, _spoken(topics, pauses_s={8: 1.5}), noise=0.0)
    late = _found(topics, _spoken(topics, pauses_s={9: 1.5}), noise=0.0)
    assert (early, late) == ([8], [9])


def test_between_two_equal_places_the_screen_decides() -> None:
    topics = [0] * 8 + [3] + [1] * 8
    sentences = _spoken(topics)
    vectors = _vectors(topics, noise=0.0)
    found = [
        [cut.index for cut in boundaries(sentences, vectors, duration_s=90.0, scene_changes_s=[changed_s])]
        for changed_s in (sentences[8].start_s, sentences[9].start_s)
    ]
    assert found == [[8], [9]]


def test_chapters_cover_the_recording_without_gaps() -> None:
    topics = [0] * 8 + [1] * 8
    made = chapters(_spoken(topics), _vectors(topics), duration_s=99.5)
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


def test_a_clear_turn_is_surer_than_a_vague_one() -> None:
    topics = [0] * 10 + [1] * 10
    sentences = _spoken(topics)
    clear = boundaries(sentences, _vectors(topics, noise=0.3), duration_s=105.0)
    mixed = _vectors(topics, noise=0.3)
    mixed[8:12] = _vectors([0, 1, 0, 1], noise=0.3)
    vague = boundaries(sentences, mixed, duration_s=105.0)
    assert len(clear) == len(vague) == 1
    assert 0.0 <= vague[0].confidence < clear[0].confidence <= 1.0


def test_a_sentence_that_announces_the_next_step_starts_it() -> None:
    topics = [0] * 8 + [3] + [1] * 8
    found = []
    for at in (8, 9):
        sentences = _spoken(topics)
        said = sentences[at]
        sentences[at] = Sentence(said.start_s, said.end_s, "The next step is something else.")
        found.append(_found(topics, sentences, noise=0.0))
    assert found == [[8], [9]]


def test_a_sentence_that_leans_on_the_one_before_starts_nothing() -> None:
    topics = [0] * 8 + [3] + [1] * 8
    found = []
    for at in (8, 9):
        sentences = _spoken(topics)
        said = sentences[at]
        sentences[at] = Sentence(said.start_s, said.end_s, "Because it is so.")
        found.append(_found(topics, sentences, noise=0.0))
    assert found == [[9], [8]]


def test_hints_alone_make_no_chapter() -> None:
    topics = [0] * 20
    sentences = _spoken(topics, pauses_s={10: 4.0})
    said = sentences[10]
    sentences[10] = Sentence(said.start_s, said.end_s, "The next step is more of the same.")
    cuts = boundaries(sentences, _vectors(topics), duration_s=110.0, scene_changes_s=[said.start_s])
    assert cuts == []


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
        boundaries(_spoken([0, 0]), _vectors([0, 0, 0]), duration_s=10.0)


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
    scene_changes_s: tuple[float, ...],
) -> None:
    truth = json.loads((SAMPLES / "expense-report.truth.json").read_text())
    said = [Sentence(one["start_s"], one["end_s"], one["text"]) for one in truth["transcript"]]
    vectors = Embedder().embed([sentence.text for sentence in said])
    found = chapters(said, vectors, duration_s=truth["duration_s"], scene_changes_s=scene_changes_s)
    assert [chapter.start_s for chapter in found] == pytest.approx([step["start_s"] for step in truth["steps"]], abs=1)
    assert [chapter.title for chapter in found[1:]] == [
        "Upload the receipt", "Choose the cost center", "Submit the report for approval",
    ]  # fmt: skip
