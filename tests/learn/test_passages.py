"""A lesson is cut into passages of whole sentences that stay inside their chapter."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from learn.passages import MAX_S, passages, texts


def spoken(*lengths_s: float, pause_s: float = 0.5) -> list[dict[str, Any]]:
    """Sentences of these lengths in seconds, a pause between them."""
    said, at_s = [], 0.0
    for number, length_s in enumerate(lengths_s):
        said.append({"start_s": at_s, "end_s": at_s + length_s, "text": f"Sentence {number}."})
        at_s += length_s + pause_s
    return said


def test_passages_last_20_to_40_seconds_and_repeat_one_sentence() -> None:
    drafts = passages(spoken(*[6.0] * 20), [], lesson_title="Long")

    assert len(drafts) > 3
    assert all(20 <= draft.end_s - draft.start_s <= 40 for draft in drafts)
    for before, after in itertools.pairwise(drafts):
        assert after.sentences[0] == before.sentences[-1]


def test_a_passage_never_crosses_a_chapter() -> None:
    chapters = [{"start_s": 0.0, "end_s": 25.7, "title": "One"}, {"start_s": 25.7, "end_s": 80.0, "title": "Two"}]

    drafts = passages(spoken(*[6.0] * 12), chapters, lesson_title="Two halves")

    assert {draft.chapter_title for draft in drafts} == {"One", "Two"}
    for draft in drafts:
        assert len({sentence.start_s + 0.5 >= 25.7 for sentence in draft.sentences}) == 1


def test_nothing_said_gives_no_passage() -> None:
    assert passages([], [], lesson_title="Silent") == []
    assert passages([{"start_s": 0, "end_s": 1, "text": "  "}], [], lesson_title="Silent") == []


def test_a_vector_is_asked_for_each_passage_under_its_titles_and_for_each_sentence_and_word_once() -> None:
    drafts = passages(spoken(*[9.0] * 6), [], lesson_title="Labels")

    wanted = texts(drafts)

    assert wanted[0].startswith("Labels. Sentence 0.")
    assert wanted[len(drafts) : len(drafts) + 6] == [f"Sentence {number}." for number in range(6)]
    assert sorted(wanted[len(drafts) + 6 :]) == [*"012345", "labels", "sentence"]


@given(
    st.lists(st.floats(0.1, 90), min_size=1, max_size=40),
    st.lists(st.floats(0, 600), max_size=5),
    st.floats(0, 3),
)
def test_every_sentence_is_in_a_passage_and_only_a_long_sentence_makes_a_long_passage(
    lengths_s: list[float], chapters_s: list[float], pause_s: float
) -> None:
    said = spoken(*lengths_s, pause_s=pause_s)
    chapters = [{"start_s": start_s, "end_s": 600, "title": str(start_s)} for start_s in chapters_s]

    drafts = passages(said, chapters, lesson_title="Any")

    assert {sentence.text for draft in drafts for sentence in draft.sentences} == {one["text"] for one in said}
    for draft in drafts:
        assert draft.end_s - draft.start_s <= MAX_S or len(draft.sentences) == 1
