"""Tables of people: who they are and how they are signed in. Secrets are stored as SHA-256 only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from infra.database import EnumText, UtcDateTime, utc_now


class Role(StrEnum):
    """What a person may do; each role includes the ones before it."""

    LEARNER = "learner"
    EXPERT = "expert"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Person(SQLModel, table=True):
    """Somebody who learns, records, reviews or administers."""

    __tablename__ = "person"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(sa_type=Text, unique=True, description="lower case")
    name: str = Field(sa_type=Text)
    role: Role = Field(sa_type=EnumText(Role))
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class SignInLink(SQLModel, table=True):
    """A link that signs one person in, once."""

    __tablename__ = "sign_in_link"

    secret_hash: bytes = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Session(SQLModel, table=True):
    """A browser that is signed in."""

    __tablename__ = "session"

    secret_hash: bytes = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    seen_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ApiToken(SQLModel, table=True):
    """A bearer token of an API client."""

    __tablename__ = "api_token"

    secret_hash: bytes = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
