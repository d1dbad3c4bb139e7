"""People, sign-in and tokens on the real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from accounts import service
from accounts.models import ApiToken, Person, Role, Session, SignInLink
from accounts.secrets import hash_of
from infra.database import Database, Silence, Work, utc_now
from infra.errors import InvalidInput, NotFound, Unauthenticated, WrongState
from tests.builders import a_person


async def count(work: Work, table: str) -> int:
    counted: int = (await work.session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
    return counted


async def signed_in(work: Work, person: Person, *, days: int = 30) -> str:
    link = await service.make_sign_in_link(work, person=person, minutes=5)
    return (await service.sign_in(work, secret=link, days=days))[1]


async def test_an_address_is_kept_in_lower_case_and_found_however_it_is_written(work: Work) -> None:
    added = await service.add_person(work, email=" Ada@Example.ORG ", name="Ada  Lovelace", role=Role.EXPERT)
    assert (added.email, added.name, added.role) == ("ada@example.org", "Ada Lovelace", "expert")
    assert await service.find_person(work, "ADA@example.org") == added
    assert await service.get_person(work, added.id) == added


async def test_an_address_is_given_once(work: Work) -> None:
    await service.add_person(work, email="ada@example.org", name="Ada", role=Role.LEARNER)
    with pytest.raises(WrongState, match="already") as refused:
        await service.add_person(work, email="ADA@example.org", name="Eve", role=Role.ADMIN)
    assert refused.value.code == "person.exists"
    assert [(person.name, person.role) for person in await service.list_people(work)] == [("Ada", "learner")]


async def test_ten_who_add_the_same_address_at_once_add_one(database: Database) -> None:
    async def add(number: int) -> bool:
        try:
            async with database.work(Silence()) as work:
                await service.add_person(work, email="ada@example.org", name=f"Ada {number}", role=Role.LEARNER)
        except WrongState:
            return False
        return True

    assert sum(await asyncio.gather(*map(add, range(10)))) == 1


@pytest.mark.parametrize(
    "email",
    ["", "ada", "@example.org", "ada@", "a da@example.org", "ada@exa\nmple.org", "ada@b@c", "ada\0@example.org",
     "<ada@example.org>", "ada@example.org\u202e", f"{'a' * 250}@example.org"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(work: Work, email: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await service.add_person(work, email=email, name="Ada", role=Role.LEARNER)
    assert refused.value.code == "person.email"
    assert await count(work, "person") == 0


@pytest.mark.parametrize("name", ["", "  ", "Ada\0", "A\u202eda", "a" * 201])
async def test_what_is_no_name_is_refused(work: Work, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await service.add_person(work, email="ada@example.org", name=name, role=Role.LEARNER)
    assert refused.value.code == "person.name"
    assert await count(work, "person") == 0


async def test_looking_for_nonsense_finds_nobody(work: Work) -> None:
    assert await service.find_person(work, "ada\0@example.org") is None
    with pytest.raises(NotFound):
        await service.get_person(work, uuid4())


async def test_a_link_signs_in_once(work: Work) -> None:
    ada = await a_person(work, role=Role.EXPERT)
    link = await service.make_sign_in_link(work, person=ada, minutes=5)
    person, session = await service.sign_in(work, secret=link, days=30)
    assert person.id == ada.id
    with pytest.raises(Unauthenticated) as refused:
        await service.sign_in(work, secret=link, days=30)
    assert refused.value.code == "sign_in.link"
    assert await count(work, "session") == 1
    assert await service.person_of_session(work, session, idle_days=7) == ada


async def test_of_ten_who_come_with_one_link_at_once_one_gets_in(database: Database) -> None:
    async with database.work(Silence()) as work:
        link = await service.make_sign_in_link(work, person=await a_person(work), minutes=5)

    async def come() -> bool:
        try:
            async with database.work(Silence()) as work:
                await service.sign_in(work, secret=link, days=30)
        except Unauthenticated:
            return False
        return True

    assert sum(await asyncio.gather(*(come() for _ in range(10)))) == 1
    async with database.work(Silence()) as work:
        assert await count(work, "session") == 1


async def test_a_link_that_is_too_old_or_made_up_signs_nobody_in(work: Work) -> None:
    link = await service.make_sign_in_link(work, person=await a_person(work), minutes=5)
    await work.session.execute(text("UPDATE sign_in_link SET expires_at = now() - interval '1 second'"))
    for secret in (link, "made up", "", "\udcff", "x" * 100_000):
        with pytest.raises(Unauthenticated):
            await service.sign_in(work, secret=secret, days=30)
    assert await count(work, "session") == 0


async def test_a_link_of_somebody_who_was_disabled_meanwhile_signs_nobody_in(work: Work) -> None:
    ada = await a_person(work)
    link = await service.make_sign_in_link(work, person=ada, minutes=5)
    ada.disabled_at = utc_now()
    await work.session.flush()
    with pytest.raises(Unauthenticated):
        await service.sign_in(work, secret=link, days=30)
    assert await count(work, "session") == 0


async def test_no_secret_is_stored(work: Work) -> None:
    ada = await a_person(work)
    link = await service.make_sign_in_link(work, person=ada, minutes=5)
    _, session = await service.sign_in(work, secret=link, days=30)
    token = await service.create_token(work, person=ada, days=1, name="laptop")
    stored = [
        row.secret_hash
        for rows in (
            await work.session.exec(select(SignInLink)),
            await work.session.exec(select(Session)),
            await work.session.exec(select(ApiToken)),
        )
        for row in rows
    ]
    assert sorted(stored) == sorted(map(hash_of, (link, session, token)))
    assert token.startswith("lore_")
    assert len({link, session, token}) == 3
    assert min(map(len, (link, session, token))) >= 43


@pytest.mark.parametrize("column", ["expires_at", "seen_at"])
async def test_a_session_ends_on_its_day_and_after_long_idleness(work: Work, column: str) -> None:
    ada = await a_person(work)
    session = await signed_in(work, ada)
    ago = {"expires_at": timedelta(seconds=1), "seen_at": timedelta(days=7, seconds=1)}[column]
    await work.session.execute(text(f"UPDATE session SET {column} = :then"), {"then": utc_now() - ago})
    assert await service.person_of_session(work, session, idle_days=7) is None


async def test_a_session_in_use_is_noted_once_a_minute(work: Work) -> None:
    session = await signed_in(work, await a_person(work))

    async def seen_after(idle: timedelta) -> timedelta:
        then = utc_now() - idle
        await work.session.execute(text("UPDATE session SET seen_at = :then"), {"then": then})
        assert await service.person_of_session(work, session, idle_days=7) is not None
        seen = (await work.session.execute(text("SELECT seen_at FROM session"))).scalar_one()
        return seen - then  # type: ignore[no-any-return]

    assert await seen_after(timedelta(seconds=50)) == timedelta(0)
    assert await seen_after(timedelta(seconds=70)) >= timedelta(seconds=70)


async def test_a_request_never_waits_for_another_one_of_the_same_session(database: Database) -> None:
    async with database.work(Silence()) as work:
        session = await signed_in(work, await a_person(work))
        await work.session.execute(text("UPDATE session SET seen_at = now() - interval '1 hour'"))
    async with database.work(Silence()) as slow, asyncio.timeout(5):
        assert await service.person_of_session(slow, session, idle_days=7)
        async with database.work(Silence()) as fast:
            assert await service.person_of_session(fast, session, idle_days=7)


async def test_signing_out_ends_this_session_alone(work: Work) -> None:
    ada = await a_person(work)
    phone, laptop = await signed_in(work, ada), await signed_in(work, ada)
    await service.sign_out(work, phone)
    await service.sign_out(work, "made up")
    assert await service.person_of_session(work, phone, idle_days=7) is None
    assert await service.person_of_session(work, laptop, idle_days=7) == ada


async def test_a_token_is_its_owner_until_it_expires(work: Work) -> None:
    ada, eve = await a_person(work), await a_person(work)
    token = await service.create_token(work, person=ada, days=1, name="laptop")
    await service.create_token(work, person=eve, days=1, name="laptop")
    assert await service.person_of_token(work, token) == ada
    assert await service.person_of_token(work, token.removeprefix("lore_")) is None
    assert await service.person_of_token(work, token + "x") is None
    await work.session.execute(text("UPDATE api_token SET expires_at = now() - interval '1 second'"))
    assert await service.person_of_token(work, token) is None


async def test_a_session_is_no_token_and_a_token_no_session(work: Work) -> None:
    ada = await a_person(work)
    session, token = await signed_in(work, ada), await service.create_token(work, person=ada, days=1, name="laptop")
    assert await service.person_of_token(work, session) is None
    assert await service.person_of_session(work, token, idle_days=7) is None


@pytest.mark.parametrize("days", [0, -1, 367, 10**12])
async def test_a_token_lives_a_year_at_most(work: Work, days: int) -> None:
    with pytest.raises(InvalidInput):
        await service.create_token(work, person=await a_person(work), days=days, name="laptop")
    assert await count(work, "api_token") == 0


async def test_disabling_ends_every_way_in_and_nobody_elses(work: Work) -> None:
    ada, eve = await a_person(work), await a_person(work)
    session, token = await signed_in(work, ada), await service.create_token(work, person=ada, days=1, name="laptop")
    link = await service.make_sign_in_link(work, person=ada, minutes=5)
    others = await signed_in(work, eve)
    disabled = await service.disable_person(work, ada)
    assert disabled.disabled_at is not None
    assert await service.person_of_session(work, session, idle_days=7) is None
    assert await service.person_of_token(work, token) is None
    with pytest.raises(Unauthenticated):
        await service.sign_in(work, secret=link, days=30)
    for closed in (
        service.make_sign_in_link(work, person=ada, minutes=5),
        service.create_token(work, person=ada, days=1, name="laptop"),
    ):
        with pytest.raises(WrongState):
            await closed
    assert await service.person_of_session(work, others, idle_days=7) == eve
    assert (await count(work, "session"), await count(work, "api_token"), await count(work, "sign_in_link")) == (
        1,
        0,
        1,
    )


async def test_disabling_twice_keeps_the_first_date(work: Work) -> None:
    ada = await a_person(work)
    first = (await service.disable_person(work, ada)).disabled_at
    assert (await service.disable_person(work, ada)).disabled_at == first


async def test_disabling_and_signing_in_at_once_leaves_nobody_signed_in(database: Database) -> None:
    async with database.work(Silence()) as work:
        ada = await a_person(work)
        links = [await service.make_sign_in_link(work, person=ada, minutes=5) for _ in range(5)]

    async def come(link: str) -> None:
        try:
            async with database.work(Silence()) as work:
                await service.sign_in(work, secret=link, days=30)
        except Unauthenticated:
            return

    async def disable() -> None:
        async with database.work(Silence()) as work:
            await service.disable_person(work, await service.get_person(work, ada.id))

    await asyncio.gather(*map(come, links), disable())
    async with database.work(Silence()) as work:
        assert await count(work, "session") == 0


async def test_the_last_administrator_stays(work: Work) -> None:
    first = await service.ensure_admin(work)
    with pytest.raises(WrongState) as refused:
        await service.disable_person(work, first)
    assert refused.value.code == "person.last_admin"
    await work.session.refresh(first)
    assert first.disabled_at is None
    await a_person(work, role=Role.ADMIN)
    await service.disable_person(work, first)
    assert first.disabled_at is not None


async def test_two_administrators_who_disable_each_other_at_once_leave_one(database: Database) -> None:
    async with database.work(Silence()) as work:
        both = [await a_person(work, role=Role.ADMIN) for _ in range(2)]

    async def disable(person: Person) -> None:
        try:
            async with database.work(Silence()) as work:
                await service.disable_person(work, await service.get_person(work, person.id))
        except WrongState:
            return

    await asyncio.gather(*map(disable, both))
    async with database.work(Silence()) as work:
        assert [person.disabled_at is None for person in await service.list_people(work)].count(True) == 1


async def test_the_first_start_adds_one_administrator_however_many_start(database: Database) -> None:
    async def start() -> Person:
        async with database.work(Silence()) as work:
            return await service.ensure_admin(work)

    assert len({person.id for person in await asyncio.gather(*(start() for _ in range(5)))}) == 1
    async with database.work(Silence()) as work:
        assert await count(work, "person") == 1


async def test_an_administrator_who_is_there_is_taken(work: Work) -> None:
    boss = await a_person(work, role=Role.ADMIN)
    assert await service.ensure_admin(work) == boss
    assert await count(work, "person") == 1
