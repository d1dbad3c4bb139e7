"""What is doubtful is named first, from the transcript and the captions alone."""

from __future__ import annotations

from typing import Any

import pytest

from review.doubts import doubts
from tests.builders import a_transcript


def codes(transcript: dict[str, Any], findings: int = 0) -> list[tuple[str, float]]:
    return [(doubt["code"], doubt["start_s"]) for doubt in doubts(transcript, [{}] * findings)]


@pytest.mark.parametrize("transcript", [{}, {"segments": []}, {"segments": [{"words": []}]}])
def test_a_clip_without_words_has_that_one_doubt(transcript: dict[str, Any]) -> None:
    assert codes(transcript) == [("no_speech", 0.0)]


def test_a_clear_clip_has_none() -> None:
    assert codes(a_transcript()) == []


@pytest.mark.parametrize(("uncertain", "found"), [(2, []), (3, [("uncertain", 0.4)])])
def test_many_uncertain_words_are_a_doubt_at_the_first_of_them(uncertain: int, found: list[tuple[str, float]]) -> None:
    transcript = a_transcript()
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert len(words) == 26
    for word in words[:uncertain]:
        word["probability"] = 0.49
    assert codes(transcript) == found


def test_removed_text_and_captions_are_named_the_earliest_first() -> None:
    transcript = a_transcript() | {"removed": [{"text": " Thank you for watching ", "start_s": 14.0}]}
    assert codes(transcript, findings=2) == [("captions", 0.0), ("removed", 14.0)]
    assert "“Thank you for watching”" in doubts(transcript, [])[0]["sentence"]


def test_text_removed_from_a_clip_without_words_is_named_too() -> None:
    transcript = {"segments": [], "removed": [{"text": "Thank you", "start_s": 3.0}]}
    assert codes(transcript, findings=1) == [("captions", 0.0), ("no_speech", 0.0), ("removed", 3.0)]
