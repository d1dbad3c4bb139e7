"""Cuts a lesson into passages, the unit of search: 20 to 40 seconds, whole sentences, never across chapters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from learn.terms import content_words

MIN_S: Final = 20.0
MAX_S: Final = 40.0
TARGET_S: Final = 30.0
# A chapter begins a little before its first word, so a sentence this much earlier still belongs to it.
CHAPTER_LEAD_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class PassageSentence:
    """One sentence and its seconds."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class PassageDraft:
    """A passage before it is stored. `text` is its sentences joined by spaces."""

    lesson_title: str
    chapter_title: str
    start_s: float
    end_s: float
    text: str
    sentences: tuple[PassageSentence, ...]


def passages(
    sentences: Sequence[Mapping[str, Any]], chapters: Sequence[Mapping[str, Any]], *, lesson_title: str
) -> list[PassageDraft]:
    """Cut sentences (`{start_s, end_s, text}`, seconds, in order) into passages.

    A passage lasts 20 to 40 s where sentences allow, repeats the last sentence of the one before, and lies in one
    chapter (`{start_s, end_s, title}`). Empty sentences are left out; no sentences give no passages.
    """
    spoken = [
        PassageSentence(float(one["start_s"]), float(one["end_s"]), str(one["text"]).strip())
        for one in sentences
        if str(one["text"]).strip()
    ]
    ordered = sorted(chapters, key=lambda chapter: float(chapter["start_s"]))
    drafts: list[PassageDraft] = []
    for title, members in _by_chapter(spoken, ordered):
        for run in _cut(members):
            text = " ".join(sentence.text for sentence in run)
            drafts.append(PassageDraft(lesson_title, title, run[0].start_s, run[-1].end_s, text, tuple(run)))
    return drafts


def texts(drafts: Sequence[PassageDraft]) -> list[str]:
    """Every text of these passages that needs a vector: each passage under its titles, each sentence, each word.

    `index_lesson` takes the vectors in this order. Sentences and words are embedded once.
    """
    sentences = dict.fromkeys(sentence.text for draft in drafts for sentence in draft.sentences)
    spoken = dict.fromkeys(word for draft in drafts for word in sorted(draft_words(draft)))
    return (
        [_under_titles(draft) for draft in drafts]
        + list(sentences)
        + [word for word in spoken if word not in sentences]
    )


def draft_words(draft: PassageDraft) -> set[str]:
    """The words a passage is found by."""
    return content_words(f"{draft.lesson_title} {draft.chapter_title} {draft.text}")


def _under_titles(draft: PassageDraft) -> str:
    return ". ".join(part for part in (draft.lesson_title, draft.chapter_title, draft.text) if part)


def _by_chapter(
    sentences: Sequence[PassageSentence], chapters: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[PassageSentence]]]:
    groups: list[tuple[str, list[PassageSentence]]] = []
    last = -2
    for sentence in sentences:
        begun = [i for i, one in enumerate(chapters) if float(one["start_s"]) <= sentence.start_s + CHAPTER_LEAD_S]
        number = begun[-1] if begun else (0 if chapters else -1)
        if number != last:
            groups.append((str(chapters[number]["title"]) if number >= 0 else "", []))
            last = number
        groups[-1][1].append(sentence)
    return groups


def _cut(sentences: list[PassageSentence]) -> list[list[PassageSentence]]:
    """Runs of about equal length, each beginning with the last sentence of the one before."""
    whole_s = sentences[-1].end_s - sentences[0].start_s
    wanted_s = max(MIN_S, whole_s / max(1, math.ceil(whole_s / TARGET_S)))
    runs: list[list[PassageSentence]] = [[]]
    for index, sentence in enumerate(sentences):
        run = runs[-1]
        if run and _is_full(run, sentence, wanted_s, sentences[index:]):
            runs.append(_overlap(run, sentence))
        runs[-1].append(sentence)
    return runs


def _is_full(
    run: list[PassageSentence], following: PassageSentence, wanted_s: float, rest: list[PassageSentence]
) -> bool:
    start_s = run[0].start_s
    if rest[-1].end_s - start_s <= MAX_S and rest[-1].end_s - following.start_s < MIN_S / 2:
        return False  # the little that is left belongs here
    return following.end_s - start_s > MAX_S or run[-1].end_s - start_s >= wanted_s


def _overlap(run: list[PassageSentence], following: PassageSentence) -> list[PassageSentence]:
    if len(run) > 1 and following.end_s - run[-1].start_s <= MAX_S:
        return [run[-1]]
    return []
