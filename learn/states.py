"""States of a lesson and the allowed steps."""

from __future__ import annotations

from enum import StrEnum

from infra.states import step


class LessonState(StrEnum):
    """Where a lesson stands."""

    PUBLISHED = "published"
    DUE = "due"
    RETIRED = "retired"


NEXT: dict[LessonState, frozenset[LessonState]] = {
    LessonState.PUBLISHED: frozenset({LessonState.DUE, LessonState.RETIRED}),
    LessonState.DUE: frozenset({LessonState.PUBLISHED, LessonState.RETIRED}),
    LessonState.RETIRED: frozenset(),
}


def lesson_step(now: LessonState, to: LessonState) -> LessonState:
    """Take one step, or raise WrongState."""
    return step(NEXT, now, to, what="lesson")
