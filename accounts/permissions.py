"""Who may do what: one table, one function. What the table does not allow is forbidden.

A role includes the ones before it. Two things go beyond roles: some actions are open to the owner of the thing, and one
is closed to the owner: nobody judges what they recorded themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from accounts.models import Person, Role
from infra.errors import Forbidden


class Action(StrEnum):
    """Something that not everybody may do with everything."""

    LEARN = "learn"
    RECORD = "record"
    READ_RECORDING = "read_recording"
    CHANGE_RECORDING = "change_recording"
    CORRECT = "correct"
    REVIEW = "review"
    JUDGE = "judge"
    ADMINISTER = "administer"


@dataclass(frozen=True)
class Rule:
    """The least role that may, whether the owner may with any role, and whether the owner never may."""

    least: Role
    owner_may: bool = False
    owner_never: bool = False
    refusal: str = "You may not do this."


_ORDER = tuple(Role)

TABLE: dict[Action, Rule] = {
    # Search, lessons and published media.
    Action.LEARN: Rule(Role.LEARNER, refusal="Your account cannot see lessons."),
    # The default lets everybody record.
    Action.RECORD: Rule(Role.LEARNER, refusal="Your account cannot record."),
    # A recording before it is published, its progress and its original.
    Action.READ_RECORDING: Rule(
        Role.REVIEWER, owner_may=True, refusal="Only the owner of this recording and reviewers can see it."
    ),
    # Delete, retry, rename, replace.
    Action.CHANGE_RECORDING: Rule(
        Role.ADMIN, owner_may=True, refusal="Only the owner of this recording can change it."
    ),
    # The transcript and the chapters.
    Action.CORRECT: Rule(
        Role.REVIEWER, owner_may=True, refusal="Only the owner of this recording and reviewers can correct it."
    ),
    # Read submissions and comment on them; without an owner: the whole queue.
    Action.REVIEW: Rule(Role.REVIEWER, owner_may=True, refusal="Only reviewers can see what waits for review."),
    Action.JUDGE: Rule(
        Role.REVIEWER,
        owner_never=True,
        refusal="Only a reviewer who did not record this can decide about it. Please ask a colleague.",
    ),
    # People, tokens of others, work that failed.
    Action.ADMINISTER: Rule(Role.ADMIN, refusal="Only administrators can do this."),
}


def can(person: Person, action: Action, *, owner_id: UUID | None = None) -> bool:
    """Whether this person may; `owner_id` is the owner of the thing it is about, None when it is about no thing.

    A disabled person may nothing. An action that is closed to the owner needs to know the owner.
    """
    rule = TABLE.get(action)
    if rule is None or person.disabled_at is not None:
        return False
    if rule.owner_never and (owner_id is None or owner_id == person.id):
        return False
    if rule.owner_may and owner_id == person.id:
        return True
    return _ORDER.index(Role(person.role)) >= _ORDER.index(rule.least)


def require(person: Person, action: Action, *, owner_id: UUID | None = None) -> None:
    """Raise Forbidden, with a sentence that says who may, unless this person may."""
    if not can(person, action, owner_id=owner_id):
        raise Forbidden(f"{TABLE[action].refusal} Nothing was changed.", code=f"forbidden.{action.value}")
