"""People: oneself, and for administrators everybody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from accounts import service
from accounts.models import Person, Role
from accounts.permissions import Action, require
from api.dependencies import PersonDep, WorkDep

router = APIRouter(prefix="/api/v1", tags=["people"])


class PersonOut(BaseModel):
    """Somebody, as administrators and they themselves see them."""

    id: UUID
    email: str
    name: str
    role: Role
    disabled_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, person: Person) -> PersonOut:
        """From its row."""
        return cls(**person.model_dump())


class PersonIn(BaseModel):
    """Somebody to add."""

    email: str = Field(max_length=service.LONGEST_EMAIL, examples=["ada@example.org"])
    name: str = Field(max_length=service.LONGEST_NAME)
    role: Role = Role.LEARNER


@router.get("/me")
async def me(person: PersonDep) -> PersonOut:
    """Who is signed in."""
    return PersonOut.of(person)


@router.get("/people")
async def list_people(person: PersonDep, work: WorkDep) -> list[PersonOut]:
    """Everybody, by name."""
    require(person, Action.ADMINISTER)
    return [PersonOut.of(found) for found in await service.list_people(work)]


@router.post("/people", status_code=201)
async def add_person(new: PersonIn, person: PersonDep, work: WorkDep) -> PersonOut:
    """Add somebody. They sign in with a link: `lorecast people link`."""
    require(person, Action.ADMINISTER)
    return PersonOut.of(await service.add_person(work, email=new.email, name=new.name, role=new.role))


@router.post("/people/{person_id}/disable")
async def disable_person(person_id: UUID, person: PersonDep, work: WorkDep) -> PersonOut:
    """Shut somebody out: sessions, tokens and links end at once."""
    require(person, Action.ADMINISTER)
    return PersonOut.of(await service.disable_person(work, await service.get_person(work, person_id)))
