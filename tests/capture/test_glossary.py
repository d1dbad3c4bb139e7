"""The company glossary comes in as CSV, all of it or nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from accounts.models import Role
from capture.glossary import NewTerm, import_terms, list_terms, parse_csv
from infra.database import Database, Silence, Work
from infra.errors import Forbidden, InvalidInput
from tests.builders import a_person


def test_terms_and_their_sounds_are_read_whatever_the_case_and_order_of_the_columns() -> None:
    assert parse_csv(["Sounds_Like , TERM", "sap; ess ay pee|sap,SAP", ",Kanban", "x,sap"]) == [
        NewTerm("sap", ("x",)),
        NewTerm("Kanban", ()),
    ]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "glossary.columns"),
        (["word,sound", "a,b"], "glossary.columns"),
        (["term,sounds_like", " ,x"], "glossary.term"),
        (["term,sounds_like", "x" * 101], "glossary.term"),
        (["term,sounds_like", "SAP," + "x" * 101], "glossary.term"),
        (["term,sounds_like", "S\0AP,x"], "glossary.term"),
        (["term,sounds_like", "SAP,\u202e"], "glossary.term"),
        (["term,sounds_like", "x" * 200_000], "glossary.not_csv"),
        (["x" * 200_000], "glossary.not_csv"),
        (["term", *(f"t{number}" for number in range(5001))], "glossary.too_many"),
    ],
)
def test_a_file_with_one_wrong_line_is_refused(lines: list[str], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_csv(lines)
    assert refused.value.code == code


async def test_a_known_term_gets_its_new_spelling_and_sounds(work: Work) -> None:
    boss = await a_person(work, role=Role.ADMIN)
    await import_terms(work, person=boss, terms=[NewTerm("sap", ("x",)), NewTerm("Kanban", ())])
    assert await import_terms(work, person=boss, terms=[NewTerm("SAP", ("ess ay pee",))]) == 1
    found = [(one.term, one.sounds_like) for one in await list_terms(work)]
    assert found == [("Kanban", []), ("SAP", ["ess ay pee"])]


async def test_only_administrators_import(database: Database) -> None:
    async with database.work(Silence()) as work:
        person = await a_person(work, role=Role.REVIEWER)
    with pytest.raises(Forbidden):
        async with database.work(Silence()) as work:
            await import_terms(work, person=person, terms=[NewTerm("SAP", ())])
    async with database.work(Silence()) as work:
        assert (await work.session.execute(text("SELECT count(*) FROM glossary_term"))).scalar_one() == 0
