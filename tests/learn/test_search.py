"""Search finds the second that answers, forgives slips, shows only what may be seen, and says when nothing answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from accounts.models import Role
from capture.models import Recording
from capture.states import RecordingState
from infra.database import Work
from infra.errors import InvalidInput
from learn import service
from learn.embedding import Embedder
from learn.models import Lesson
from learn.passages import passages, texts
from learn.search import search
from learn.states import LessonState
from tests.builders import a_clip, a_person, a_recording

LABELS = (
    (0.0, 5.0, "Today I show you how to change the label roll of the printer."),
    (5.5, 11.0, "Open the lid with the blue lever on the left side."),
    (11.5, 18.0, "Take the empty roll out and put the new one in, paper upwards."),
    (19.0, 25.0, "Close the lid until it clicks, then press feed twice."),
)
HOLIDAY = (
    (0.0, 6.0, "This is how you ask for a day off in the staff portal."),
    (6.5, 13.0, "Choose absence in the menu and pick the first and the last day."),
    (14.0, 21.0, "Your manager gets an e-mail and approves it there."),
)


async def a_spoken_lesson(
    work: Work, embedder: Embedder, title: str, said: Sequence[tuple[float, float, str]]
) -> Lesson:
    """A published lesson in which this is said, indexed by the verbs that workers use."""
    recording = await a_recording(work, state=RecordingState.READY, title=title)
    clip = await a_clip(work, recording=recording)
    lesson = await service.publish(
        work, recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, title=title
    )
    spoken = [{"start_s": start_s, "end_s": end_s, "text": text} for start_s, end_s, text in said]
    drafts = passages(spoken, [], lesson_title=title)
    await service.index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=embedder.embed(texts(drafts)))
    return lesson


@pytest.mark.parametrize(
    ("query", "title", "at_s"),
    [
        ("blue lever", "Change the label roll", 5.5),
        ("how do I open the lid?", "Change the label roll", 5.5),
        ("prnter lable roll", "Change the label roll", 0.0),
        ("request a day off", "Ask for a holiday", 0.0),
        ("who approves my absence", "Ask for a holiday", 14.0),
    ],
)
async def test_a_query_lands_one_second_before_the_sentence_that_answers(
    work: Work, embedder: Embedder, query: str, title: str, at_s: float
) -> None:
    await a_spoken_lesson(work, embedder, "Change the label roll", LABELS)
    await a_spoken_lesson(work, embedder, "Ask for a holiday", HOLIDAY)
    person = await a_person(work)

    answer = await search(work, embedder, person=person, query=query)

    assert answer.answered
    first = answer.hits[0]
    assert first.lesson.title == title
    assert abs(first.start_s - at_s) < 10
    assert first.url == f"/lessons/{first.lesson.slug}?t={max(0.0, first.start_s - 1):.1f}"


async def test_a_query_that_nothing_answers_gets_no_hits_and_says_so(work: Work, embedder: Embedder) -> None:
    await a_spoken_lesson(work, embedder, "Change the label roll", LABELS)
    person = await a_person(work)

    answer = await search(work, embedder, person=person, query="pension fund contribution rate")

    assert not answer.answered
    assert answer.hits == []


async def test_a_retired_lesson_and_a_deleted_recording_are_not_found(work: Work, embedder: Embedder) -> None:
    retired = await a_spoken_lesson(work, embedder, "Change the label roll", LABELS)
    deleted = await a_spoken_lesson(work, embedder, "Ask for a holiday", HOLIDAY)
    person = await a_person(work, role=Role.ADMIN)
    retired.state = LessonState.RETIRED
    recording = await work.session.get_one(Recording, deleted.recording_id)
    recording.state = RecordingState.DELETED
    await work.session.flush()

    for query in ("blue lever", "day off in the staff portal"):
        answer = await search(work, embedder, person=person, query=query)
        assert answer.hits == answer.nearest == []
    assert await service.list_lessons(work, person=person) == []


@pytest.mark.parametrize("query", ["", "   ", "\x00", "\n\t", "\ud800", "x" * 501])
async def test_a_query_of_nothing_or_too_much_is_refused(work: Work, embedder: Embedder, query: str) -> None:
    person = await a_person(work)

    with pytest.raises(InvalidInput):
        await search(work, embedder, person=person, query=query)


@pytest.mark.parametrize(
    "query",
    [
        "how do i", "🙂", "%", "_", "100%", "'", "\\", "a & b | !c", "lever:*", "<->", "('", "blue\x00lever",
        "\u200b", "SELECT 1; --", "漢字", "مرحبا", "x" * 500, "a b " * 120, "\ud800 lever",
    ],
)  # fmt: skip
async def test_any_other_text_is_a_query(work: Work, embedder: Embedder, query: str) -> None:
    await a_spoken_lesson(work, embedder, "Change the label roll", LABELS)
    person = await a_person(work)

    answer = await search(work, embedder, person=person, query=query)

    assert answer.query
    assert answer.answered == bool(answer.hits)
