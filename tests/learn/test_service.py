"""A lesson keeps its address, is indexed as a whole, and what is missing can be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlmodel import col, func, select

from capture.models import Recording
from capture.states import RecordingState
from infra.database import Work
from infra.errors import InvalidInput, NotFound, WrongState
from learn import service
from learn.models import EMBEDDING_SIZE, Lesson, LessonRequest, Passage
from learn.passages import PassageDraft, passages, texts
from learn.states import LessonState
from tests.builders import a_clip, a_lesson, a_person, a_recording


async def published(work: Work, title: str) -> Lesson:
    """A lesson by the verb that the worker uses."""
    recording = await a_recording(work, state=RecordingState.READY, title=title)
    clip = await a_clip(work, recording=recording)
    return await service.publish(
        work, recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, title=title
    )


def drafts_of(*said: str) -> list[PassageDraft]:
    """Passages of these sentences, 15 seconds each."""
    spoken = [{"start_s": 15.0 * n, "end_s": 15.0 * n + 14, "text": one} for n, one in enumerate(said)]
    return passages(spoken, [], lesson_title="Labels")


def vectors_of(drafts: list[PassageDraft]) -> Any:
    """Vectors of the right shape that mean nothing."""
    return np.eye(len(texts(drafts)), EMBEDDING_SIZE, dtype=np.float32)


async def counted(work: Work) -> dict[str, int]:
    """The vocabulary."""
    return {
        row.word: row.passages for row in await work.session.execute(text("SELECT * FROM term WHERE passages <> 0"))
    }


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Change the label roll!", "change-the-label-roll"),
        ("Größe  wählen / Déjà vu", "grosse-wahlen-deja-vu"),
        ("印刷ラベル", "印刷ラベル"),
        ("???", "lesson"),
        ("word " * 40, "-".join(["word"] * 12)),
        ("x" * 200, "x" * 60),
    ],
)
def test_the_address_of_a_lesson_is_readable(title: str, slug: str) -> None:
    assert service.slug_of(title) == slug


async def test_two_lessons_of_one_title_have_two_addresses(work: Work) -> None:
    slugs = [(await published(work, "Labels_50%")).slug for _ in range(3)]

    assert slugs == ["labels-50", "labels-50-2", "labels-50-3"]


async def test_a_newer_clip_keeps_the_address_and_an_older_one_changes_nothing(work: Work) -> None:
    lesson = await published(work, "Labels")
    recording_id, owner_id, first = lesson.recording_id, lesson.owner_id, lesson.clip_id
    second = await a_clip(work, recording=await a_recording_of(work, lesson), version=2)

    for clip_id in (second.id, first, second.id):
        again = await service.publish(
            work, recording_id=recording_id, clip_id=clip_id, owner_id=owner_id, title="New labels"
        )
        assert (again.id, again.slug, again.title, again.clip_id) == (lesson.id, "labels", "New labels", second.id)


async def a_recording_of(work: Work, lesson: Lesson) -> Recording:
    """The recording a lesson was made of."""
    return await work.session.get_one(Recording, lesson.recording_id)


async def test_a_retired_lesson_stays_retired(work: Work) -> None:
    lesson = await published(work, "Labels")
    lesson.state = LessonState.RETIRED
    second = await a_clip(work, recording=await a_recording_of(work, lesson), version=2)

    with pytest.raises(WrongState):
        await service.publish(
            work, recording_id=lesson.recording_id, clip_id=second.id, owner_id=lesson.owner_id, title="Labels"
        )

    await work.session.flush()
    await work.session.refresh(lesson)
    assert lesson.state == LessonState.RETIRED
    assert lesson.clip_id != second.id


async def test_indexing_again_replaces_every_passage_and_the_counts_of_words(work: Work) -> None:
    lesson = await a_lesson(work)
    first = drafts_of("Open the lid.", "Take out the roll.", "Close the lid.", "Press feed.")
    second = drafts_of("Unplug the scanner.")

    for _ in range(2):
        assert await service.index_lesson(work, lesson_id=lesson.id, drafts=first, vectors=vectors_of(first)) == 3
    before = await counted(work)
    assert await service.index_lesson(work, lesson_id=lesson.id, drafts=second, vectors=vectors_of(second)) == 1

    assert before[""] == before["labels"] == 3
    after = await counted(work)
    assert after == {"": 1, "labels": 1, "unplug": 1, "scanner": 1}
    kept = (await work.session.exec(select(Passage.text).where(Passage.lesson_id == lesson.id))).all()
    assert kept == ["Unplug the scanner."]


async def test_a_lesson_without_drafts_is_in_no_search(work: Work) -> None:
    lesson = await a_lesson(work)
    drafts = drafts_of("Open the lid.")
    await service.index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=vectors_of(drafts))

    assert await service.index_lesson(work, lesson_id=lesson.id, drafts=[], vectors=vectors_of([])) == 0

    assert await counted(work) == {}


async def test_vectors_of_something_else_change_nothing(work: Work) -> None:
    lesson = await a_lesson(work)
    drafts = drafts_of("Open the lid.", "Close the lid.")

    with pytest.raises(ValueError, match="shape"):
        await service.index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=np.zeros((1, 384), np.float32))

    assert await counted(work) == {}


def test_packed_vectors_keep_their_direction() -> None:
    vectors = np.random.default_rng(7).normal(size=(20, EMBEDDING_SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    back = service.unpacked(service.packed(vectors))

    assert float((vectors * back).sum(axis=1).min()) > 0.9995


async def test_lessons_are_listed_newest_first_page_by_page(work: Work) -> None:
    person = await a_person(work)
    slugs = [(await published(work, f"Lesson {letter}")).slug for letter in "abc"]

    first = await service.list_lessons(work, person=person, limit=2)
    rest = await service.list_lessons(work, person=person, limit=2, before=first[-1].published_at)

    assert [lesson.slug for lesson in (*first, *rest)] == slugs[::-1]
    shown = await service.get_lesson(work, person=person, slug=slugs[0])
    assert shown.url == f"/lessons/{slugs[0]}"
    assert [chapter["title"] for chapter in shown.chapters] == ["Choose the paper size", "Press the feed button"]


@pytest.mark.parametrize("slug", ["nothing-here", "", "\x00", "%", "\ud800"])
async def test_an_unknown_address_is_not_found(work: Work, slug: str) -> None:
    person = await a_person(work)

    with pytest.raises(NotFound):
        await service.get_lesson(work, person=person, slug=slug)


async def test_what_is_missing_is_asked_for_once(work: Work) -> None:
    person = await a_person(work)

    wishes = [
        await service.request_lesson(work, person=person, query="  fix the\x00 coffee machine ") for _ in range(2)
    ]

    assert wishes[0] == wishes[1]
    assert wishes[0].query == "fix the coffee machine"
    assert (await work.session.exec(select(func.count(col(LessonRequest.id))))).one() == 1


async def test_asking_for_nothing_is_refused(work: Work) -> None:
    person = await a_person(work)

    with pytest.raises(InvalidInput):
        await service.request_lesson(work, person=person, query=" \x00 ")

    assert (await work.session.exec(select(func.count(col(LessonRequest.id))))).one() == 0
