"""The verbs of people: add, disable, sign in and out, tokens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from accounts import repository
from accounts.models import ApiToken, Person, Role, Session, SignInLink
from accounts.secrets import TOKEN_PREFIX, hash_of, new_secret, new_token
from infra.database import Work, utc_now
from infra.errors import InvalidInput, Unauthenticated, WrongState

LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3
LONGEST_NAME = 200
LONGEST_TOKEN_DAYS = 366
# A session in use is noted at most this often, so that reading pages hardly writes.
SEEN_EVERY = timedelta(minutes=1)
_EMAIL = re.compile(r"[^@\s<>()\[\],;:\\\"\x00-\x1f\x7f]+@[^@\s<>()\[\],;:\\\"\x00-\x1f\x7f]+")


class LinkState(StrEnum):
    """What became of a sign-in link."""

    WORKS = "works"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


async def add_person(work: Work, *, email: str, name: str, role: Role) -> Person:
    """Add somebody. Raises InvalidInput for a bad address or name, WrongState `person.exists` for a known address."""
    person = Person(email=clean_email(email), name=clean_name(name), role=role)
    added = await work.session.execute(
        insert(Person).values(**person.model_dump()).on_conflict_do_nothing().returning(col(Person.id))
    )
    if added.scalar_one_or_none() is None:
        raise WrongState(f"There is already a person with the address {person.email}.", code="person.exists")
    return await repository.get_person(work, person.id)


def clean_email(email: str) -> str:
    """The address in lower case without blanks around it. Raises InvalidInput when it is no address."""
    cleaned = email.strip().lower()
    if len(cleaned) > LONGEST_EMAIL or not _EMAIL.fullmatch(cleaned) or not cleaned.isprintable():
        raise InvalidInput(
            "This does not look like an e-mail address. It should look like ada@example.org.", code="person.email"
        )
    return cleaned


def clean_name(name: str) -> str:
    """The name with single blanks. Raises InvalidInput when it is empty, too long, or not printable."""
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise InvalidInput(f"A name needs 1 to {LONGEST_NAME} printable characters.", code="person.name")
    return cleaned


async def find_person(work: Work, email: str) -> Person | None:
    """The person with this address, however it is capitalised, disabled or not."""
    return await repository.find_person(work, email.strip().lower()) if email.isprintable() else None


async def get_person(work: Work, person_id: UUID) -> Person:
    """The person with this id. Raises NotFound."""
    return await repository.get_person(work, person_id)


async def list_people(work: Work) -> list[Person]:
    """Everybody, by name."""
    return await repository.people(work)


async def last_seen(work: Work) -> dict[UUID, datetime]:
    """When each person who is signed in somewhere was last heard of, by person id."""
    return await repository.last_seen(work)


async def ensure_admin(work: Work, *, email: str = "admin@localhost", name: str = "Admin") -> Person:
    """The oldest administrator; the first start adds one. Safe from several processes at once."""
    found = await repository.admins(work)
    if found:
        return found[0]
    first = Person(email=clean_email(email), name=clean_name(name), role=Role.ADMIN)
    await work.session.execute(insert(Person).values(**first.model_dump()).on_conflict_do_nothing())
    found = await repository.admins(work)
    if not found:
        raise WrongState(f"{first.email} is known, but is no administrator. Nothing was changed.", code="person.exists")
    return found[0]


async def disable_person(work: Work, person: Person) -> Person:
    """Shut somebody out: sessions, tokens and links end in the same transaction. Doing it again changes nothing.

    Raises WrongState `person.last_admin` rather than leave nobody to administer.
    """
    if person.role == Role.ADMIN:
        others = [admin for admin in await repository.admins(work, locked=True) if admin.id != person.id]
        if not others:
            raise WrongState(
                "This is the last administrator. Nothing was changed. Please add another one first.",
                code="person.last_admin",
            )
    if person.disabled_at is None:
        person.disabled_at = utc_now()
        work.session.add(person)
        await work.session.flush()
    await repository.end_everything_of(work, person.id)
    return person


async def make_sign_in_link(work: Work, *, person: Person, minutes: int) -> str:
    """The secret of a link that signs this person in once, within `minutes`. Raises WrongState when disabled."""
    await _enabled(work, person)
    secret, now = new_secret(), utc_now()
    await repository.forget_expired(work, person.id, now)
    expires_at = now + timedelta(minutes=minutes)
    work.session.add(SignInLink(secret_hash=hash_of(secret), person_id=person.id, expires_at=expires_at))
    await work.session.flush()
    return secret


async def look_at_link(work: Work, *, secret: str) -> tuple[LinkState, Person | None]:
    """What a link would do, without using it up, and for whom; the person is None unless it works."""
    link = await repository.find_link(work, hash_of(secret))
    if link is None:
        return LinkState.UNKNOWN, None
    person = await repository.get_person(work, link.person_id)
    if person.disabled_at is not None:
        return LinkState.UNKNOWN, None
    if link.used_at is not None:
        return LinkState.USED, None
    if link.expires_at <= utc_now():
        return LinkState.EXPIRED, None
    return LinkState.WORKS, person


async def sign_in(work: Work, *, secret: str, days: int) -> tuple[Person, str]:
    """Use a link up: who it is, and the secret of a new session that ends after `days`.

    Of two who come with the same link, one gets in. Raises Unauthenticated `sign_in.link` for a link that is unknown,
    used or too old.
    """
    now = utc_now()
    link = await repository.find_link(work, hash_of(secret))
    # The person is locked before the link, as when somebody is disabled: in the other order the two could deadlock.
    person = await repository.get_person(work, link.person_id, locked=True) if link else None
    if person is None or person.disabled_at is not None or not await repository.use_link(work, hash_of(secret), now):
        raise Unauthenticated(
            "This sign-in link does not work any more: it works once, and only for a short time. Please ask for a new"
            " one.",
            code="sign_in.link",
        )
    await repository.forget_expired(work, person.id, now)
    session = new_secret()
    expires_at = now + timedelta(days=days)
    work.session.add(Session(secret_hash=hash_of(session), person_id=person.id, expires_at=expires_at))
    await work.session.flush()
    return person, session


async def person_of_session(work: Work, secret: str, *, idle_days: int) -> Person | None:
    """Who is signed in with this session; None when it has ended, was idle too long, or the person is disabled."""
    now, hashed = utc_now(), hash_of(secret)
    not_idle_since = now - timedelta(days=idle_days)
    found = await repository.person_of_session(work, hashed, now=now, not_idle_since=not_idle_since)
    if found is None:
        return None
    person, seen_at = found
    if seen_at <= now - SEEN_EVERY:
        await repository.mark_seen(work, hashed, now)
    return person


async def sign_out(work: Work, secret: str) -> None:
    """End one session; one that is gone is no error."""
    await repository.end_session(work, hash_of(secret))


async def create_token(work: Work, *, person: Person, days: int, name: str) -> str:
    """A new bearer token, shown once. Raises InvalidInput for odd `days`, WrongState when the person is disabled."""
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise InvalidInput(f"A token lives 1 to {LONGEST_TOKEN_DAYS} days.", code="token.days")
    cleaned = clean_name(name)
    await _enabled(work, person)
    token, now = new_token(), utc_now()
    await repository.forget_expired(work, person.id, now)
    expires_at = now + timedelta(days=days)
    work.session.add(ApiToken(secret_hash=hash_of(token), person_id=person.id, name=cleaned, expires_at=expires_at))
    await work.session.flush()
    return token


async def person_of_token(work: Work, token: str) -> Person | None:
    """Whose bearer token this is; None when it is unknown, too old, or the person is disabled."""
    if not token.startswith(TOKEN_PREFIX):
        return None
    return await repository.person_of_token(work, hash_of(token), utc_now())


async def _enabled(work: Work, person: Person) -> None:
    current = await repository.get_person(work, person.id, locked=True)
    if current.disabled_at is not None:
        raise WrongState(f"{current.email} is disabled. Nothing was changed.", code="person.disabled")
