"""Queries of people, links, sessions and tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlmodel import col, select

from accounts.models import ApiToken, Person, Role, Session, SignInLink
from infra.database import Work
from infra.errors import NotFound


async def find_person(work: Work, email: str) -> Person | None:
    """The person with this address (lower case), disabled or not."""
    return (await work.session.exec(select(Person).where(Person.email == email))).one_or_none()


async def get_person(work: Work, person_id: UUID, *, locked: bool = False) -> Person:
    """The person with this id; `locked` keeps disabling away until the transaction ends. Raises NotFound."""
    query = select(Person).where(Person.id == person_id)
    if locked:
        query = query.with_for_update(read=True).execution_options(populate_existing=True)
    person = (await work.session.exec(query)).one_or_none()
    if person is None:
        raise NotFound("There is no such person.", code="person.not_found")
    return person


async def people(work: Work) -> list[Person]:
    """Everybody, by name."""
    return list((await work.session.exec(select(Person).order_by(col(Person.name), col(Person.email)))).all())


async def last_seen(work: Work) -> dict[UUID, datetime]:
    """When each person's browser was last heard of, as far as their sessions are kept."""
    query = select(Session.person_id, func.max(Session.seen_at)).group_by(col(Session.person_id))
    return {row[0]: row[1] for row in (await work.session.exec(query)).all()}


async def admins(work: Work, *, locked: bool = False) -> list[Person]:
    """Administrators who are not disabled, oldest first; `locked` for who is about to change one of them."""
    query = select(Person).where(Person.role == Role.ADMIN, col(Person.disabled_at).is_(None))
    query = query.order_by(col(Person.created_at), col(Person.id))
    if locked:
        query = query.with_for_update().execution_options(populate_existing=True)
    return list((await work.session.exec(query)).all())


async def find_link(work: Work, secret_hash: bytes) -> SignInLink | None:
    """The link with this secret, used and too old ones too."""
    return await work.session.get(SignInLink, secret_hash, populate_existing=True)


async def use_link(work: Work, secret_hash: bytes, now: datetime) -> UUID | None:
    """Mark a link as used and return whose it is; None when it is unknown, used or too old. Happens once."""
    statement = (
        update(SignInLink)
        .where(
            col(SignInLink.secret_hash) == secret_hash,
            col(SignInLink.used_at).is_(None),
            col(SignInLink.expires_at) > now,
        )
        .values(used_at=now)
        .returning(col(SignInLink.person_id))
        .execution_options(synchronize_session=False)
    )
    return (await work.session.execute(statement)).scalar_one_or_none()


async def person_of_session(
    work: Work, secret_hash: bytes, *, now: datetime, not_idle_since: datetime
) -> tuple[Person, datetime] | None:
    """Who holds this session and when it was last seen; None when it is unknown, too old, or the person disabled."""
    query = (
        select(Person, Session.seen_at)
        .join(Session, col(Session.person_id) == Person.id)
        .where(
            Session.secret_hash == secret_hash,
            Session.expires_at > now,
            Session.seen_at > not_idle_since,
            col(Person.disabled_at).is_(None),
        )
    )
    return (await work.session.exec(query)).one_or_none()


async def mark_seen(work: Work, secret_hash: bytes, now: datetime) -> None:
    """Note that a session is in use; when another request is doing so, leave it to that one instead of waiting."""
    await work.session.execute(
        text(
            "UPDATE session SET seen_at = :now WHERE secret_hash ="
            " (SELECT secret_hash FROM session WHERE secret_hash = :hash FOR UPDATE SKIP LOCKED)"
        ),
        {"now": now, "hash": secret_hash},
    )


async def person_of_token(work: Work, secret_hash: bytes, now: datetime) -> Person | None:
    """Whose token this is; None when it is unknown, too old, or the person disabled."""
    query = (
        select(Person)
        .join(ApiToken, col(ApiToken.person_id) == Person.id)
        .where(ApiToken.secret_hash == secret_hash, ApiToken.expires_at > now, col(Person.disabled_at).is_(None))
    )
    return (await work.session.exec(query)).one_or_none()


async def end_session(work: Work, secret_hash: bytes) -> None:
    """Forget one session."""
    await work.session.execute(delete(Session).where(col(Session.secret_hash) == secret_hash))


async def end_everything_of(work: Work, person_id: UUID) -> None:
    """Forget every session, token and link of a person."""
    for table in (Session, ApiToken, SignInLink):
        await work.session.execute(delete(table).where(col(table.person_id) == person_id))


async def forget_expired(work: Work, person_id: UUID, now: datetime) -> None:
    """Forget the sessions, tokens and links of a person that are too old to work."""
    for table in (Session, ApiToken, SignInLink):
        await work.session.execute(delete(table).where(col(table.person_id) == person_id, col(table.expires_at) <= now))
