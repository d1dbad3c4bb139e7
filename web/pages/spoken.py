"""What is said, as pages show it: sentences with their chapter, and words with their doubts.

Pages show the segments of the transcript as they are stored; workers have cut them at sentence ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capture.models import Clip
from web import views
from web.pages.shell import chapter_index


def sentences_of(clip: Clip, chapters: Sequence[views.Chapter], page: str) -> tuple[views.Sentence, ...]:
    """Sentences for readers."""
    return tuple(
        views.Sentence(
            start_s=one["start_s"],
            end_s=one["end_s"],
            text=one["text"].strip(),
            url=f"{page}?t={one['start_s']:g}",
            chapter_index=chapter_index(chapters, one["start_s"]),
        )
        for one in _segments(clip)
    )


def reviewed_sentences_of(clip: Clip, chapters: Sequence[views.Chapter], page: str) -> tuple[views.ReviewSentence, ...]:
    """Sentences for reviewers, with every word's probability, and what was removed in its place."""
    changed = {one["start_s"]: one["before"] for one in (clip.transcript or {}).get("corrections", ())}
    said = [_reviewed(one, chapters, page, None, changed) for one in _segments(clip)]
    removed = [_reviewed(one, chapters, page, one["reason"], {}) for one in (clip.transcript or {}).get("removed", ())]
    return tuple(sorted([*said, *removed], key=lambda one: one.start_s))


def _reviewed(
    one: dict[str, Any],
    chapters: Sequence[views.Chapter],
    page: str,
    removed: str | None,
    changed: dict[float, str],
) -> views.ReviewSentence:
    words = one.get("words") or [{**one, "probability": 1.0}]
    return views.ReviewSentence(
        start_s=one["start_s"],
        end_s=one["end_s"],
        words=tuple(
            views.Word(word["text"], word["start_s"], word["end_s"], word["probability"], changed.get(word["start_s"]))
            for word in words
        ),
        url=f"{page}?t={one['start_s']:g}",
        chapter_index=chapter_index(chapters, one["start_s"]),
        removed=removed,
    )


def _segments(clip: Clip) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (clip.transcript or {}).get("segments", [])
    return found
