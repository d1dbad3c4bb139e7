"""The permission table, spelled out a second time, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from accounts.models import Person, Role
from accounts.permissions import Action, can, require
from infra.errors import Forbidden

L, E, R, A = Role.LEARNER, Role.EXPERT, Role.REVIEWER, Role.ADMIN
# action → who may with somebody else's thing, and who may with their own.
EXPECTED: dict[Action, tuple[set[Role], set[Role]]] = {
    Action.LEARN: ({L, E, R, A}, {L, E, R, A}),
    Action.RECORD: ({L, E, R, A}, {L, E, R, A}),
    Action.READ_RECORDING: ({R, A}, {L, E, R, A}),
    Action.CHANGE_RECORDING: ({A}, {L, E, R, A}),
    Action.CORRECT: ({R, A}, {L, E, R, A}),
    Action.REVIEW: ({R, A}, {L, E, R, A}),
    Action.JUDGE: ({R, A}, set()),
    Action.ADMINISTER: ({A}, {A}),
}


def person(role: Role, *, disabled: bool = False) -> Person:
    return Person(email="ada@example.org", name="Ada", role=role, disabled_at=datetime.now(UTC) if disabled else None)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_each_role_may_exactly_what_the_table_says(action: Action, role: Role) -> None:
    others, own = EXPECTED[action]
    somebody = person(role)
    assert can(somebody, action, owner_id=uuid4()) is (role in others)
    assert can(somebody, action, owner_id=somebody.id) is (role in own)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_disabled_person_may_nothing(action: Action, role: Role) -> None:
    somebody = person(role, disabled=True)
    assert not can(somebody, action)
    assert not can(somebody, action, owner_id=somebody.id)
    assert not can(somebody, action, owner_id=uuid4())


@pytest.mark.parametrize("role", Role)
def test_nobody_judges_when_it_is_unknown_who_recorded(role: Role) -> None:
    assert not can(person(role), Action.JUDGE)


def test_ownership_is_not_assumed_where_no_thing_is_named() -> None:
    assert not can(person(L), Action.REVIEW)
    assert not can(person(E), Action.READ_RECORDING)


def test_a_role_that_was_read_from_the_database_as_text_counts() -> None:
    somebody = person(A)
    somebody.role = "admin"  # type: ignore[assignment]
    assert can(somebody, Action.ADMINISTER)


def test_a_refusal_says_who_may_and_has_a_code() -> None:
    somebody = person(R)
    with pytest.raises(Forbidden, match="did not record this") as refused:
        require(somebody, Action.JUDGE, owner_id=somebody.id)
    assert refused.value.code == "forbidden.judge"
    require(somebody, Action.JUDGE, owner_id=uuid4())
