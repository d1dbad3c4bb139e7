"""The company glossary: how terms are written, and how they sound."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from accounts.models import Person
from accounts.permissions import Action, require
from capture.models import GlossaryTerm
from infra.database import Work
from infra.errors import InvalidInput

_MOST_TERMS = 5000
_MOST_CHARACTERS = 100


@dataclass(frozen=True)
class NewTerm:
    """A term as it is written, and the ways in which people or the model say it."""

    term: str
    sounds_like: tuple[str, ...]


def parse_csv(lines: Iterable[str]) -> list[NewTerm]:
    """Rows of a CSV with the columns `term,sounds_like`; several sounds are separated by `;` or `|`.

    Raises InvalidInput naming the first line that is wrong; nothing is taken then.
    """
    try:
        found = _terms(csv.DictReader(lines, strict=True))
    except csv.Error as error:
        raise InvalidInput(
            "This is no CSV with the columns term,sounds_like. Nothing was imported.", code="glossary.not_csv"
        ) from error
    if len(found) > _MOST_TERMS:
        raise InvalidInput(f"More than {_MOST_TERMS} terms. Nothing was imported.", code="glossary.too_many")
    return list(found.values())


def _terms(reader: csv.DictReader[str]) -> dict[str, NewTerm]:
    if reader.fieldnames is None or "term" not in [name.strip().lower() for name in reader.fieldnames]:
        raise InvalidInput(
            "The first line must name the columns: term,sounds_like. Nothing was imported.", code="glossary.columns"
        )
    found: dict[str, NewTerm] = {}
    for row in reader:
        values = {str(key).strip().lower(): str(value or "").strip() for key, value in row.items()}
        term = values["term"]
        sounds = [part.strip() for part in values.get("sounds_like", "").replace("|", ";").split(";")]
        if not term or not all(_is_term(each) for each in (term, *sounds)):
            raise InvalidInput(
                f"Line {reader.line_num}: a term, and each of its sounds, has 1 to {_MOST_CHARACTERS} printable"
                " characters. Nothing was imported.",
                code="glossary.term",
            )
        found[term.casefold()] = NewTerm(term, tuple(dict.fromkeys(sound for sound in sounds if sound)))
    return found


def _is_term(text: str) -> bool:
    return len(text) <= _MOST_CHARACTERS and text.isprintable()


async def import_terms(work: Work, *, person: Person, terms: Sequence[NewTerm]) -> int:
    """Add terms; one that is known gets its new spelling and sounds. Returns how many were taken."""
    require(person, Action.ADMINISTER)
    rows = [{"key": new.term.casefold(), "term": new.term, "sounds_like": list(new.sounds_like)} for new in terms]
    statement = insert(GlossaryTerm)
    changed = {"term": statement.excluded.term, "sounds_like": statement.excluded.sounds_like}
    # In one order, so that two imports at once do not wait for each other.
    for row in sorted(rows, key=lambda row: str(row["key"])):
        await work.session.execute(statement.values(**row).on_conflict_do_update(index_elements=["key"], set_=changed))
    return len(terms)


async def list_terms(work: Work) -> list[GlossaryTerm]:
    """Every term, in alphabetic order."""
    return list((await work.session.exec(select(GlossaryTerm).order_by(col(GlossaryTerm.key)))).all())
