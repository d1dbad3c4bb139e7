"""Which clips a person may see: those of lessons, and those of recordings they may read."""

from __future__ import annotations

from uuid import UUID

from accounts.models import Person
from accounts.permissions import Action, can
from capture import service as capture
from capture.models import Clip
from infra.database import Work
from learn.service import find_lesson_of_clip


async def get_visible_clip(work: Work, *, person: Person, clip_id: UUID) -> Clip:
    """The clip. Raises NotFound when it does not exist for this person."""
    if can(person, Action.LEARN) and await find_lesson_of_clip(work, clip_id) is not None:
        return await capture.get_published_clip(work, clip_id)
    clip, _ = await capture.get_clip(work, person=person, clip_id=clip_id)
    return clip
