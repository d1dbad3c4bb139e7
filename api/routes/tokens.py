"""Bearer tokens for API clients."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from accounts import service
from accounts.permissions import Action, require
from api.dependencies import PersonDep, WorkDep
from infra.errors import NotFound

router = APIRouter(prefix="/api/v1/tokens", tags=["people"])


class TokenIn(BaseModel):
    """For whom, and for how long."""

    email: str = Field(max_length=254)
    days: int = Field(30, ge=1, le=365)
    name: str = Field("API", max_length=100)


class TokenOut(BaseModel):
    """The token; it is shown this once."""

    token: str


@router.post("", status_code=201)
async def create(wanted: TokenIn, person: PersonDep, work: WorkDep) -> TokenOut:
    """Make a token for oneself, or as an administrator for somebody else."""
    owner = await service.find_person(work, wanted.email)
    if owner is None or owner.id != person.id:
        require(person, Action.ADMINISTER)
    if owner is None:
        raise NotFound("There is no person with this address. Nothing was made.", code="person.not_found")
    return TokenOut(token=await service.create_token(work, person=owner, days=wanted.days, name=wanted.name))
