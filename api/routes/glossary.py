"""The company glossary."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from accounts.permissions import Action, require
from api.dependencies import PersonDep, WorkDep
from capture import glossary

router = APIRouter(prefix="/api/v1/glossary", tags=["glossary"])


class GlossaryIn(BaseModel):
    """A CSV file with the columns `term,sounds_like`."""

    csv: str = Field(max_length=1_000_000)


class GlossaryImported(BaseModel):
    """How many terms were taken."""

    terms: int


class TermOut(BaseModel):
    """A term and how it may sound."""

    term: str
    sounds_like: list[str]


@router.get("")
async def list_terms(_person: PersonDep, work: WorkDep) -> list[TermOut]:
    """Every term."""
    return [TermOut(term=one.term, sounds_like=one.sounds_like) for one in await glossary.list_terms(work)]


@router.post("")
async def import_terms(sent: GlossaryIn, person: PersonDep, work: WorkDep) -> GlossaryImported:
    """Add terms, or change those that are known."""
    require(person, Action.ADMINISTER)
    terms = glossary.parse_csv(sent.csv.splitlines())
    return GlossaryImported(terms=await glossary.import_terms(work, person=person, terms=terms))
