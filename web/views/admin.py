"""What administrators see: people and work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from web.views.page import Page, StageState


@dataclass(frozen=True, slots=True)
class PersonRow:
    """An account in the list of people."""

    url: str
    name: str
    email: str
    role: str
    last_seen_at: datetime | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class PeoplePage(Page):
    """All accounts; `link` is a sign-in link that was just made, shown once, for `link_for`."""

    template: ClassVar[str] = "people.html"
    people: tuple[PersonRow, ...] = ()
    link: str | None = None
    link_for: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WorkRow:
    """One stage of one recording in the ledger."""

    url: str
    stage: str
    state: StageState
    title: str
    recording_url: str
    attempt: int
    changed_at: datetime
    progress: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StageCount:
    """A stage's queue: counts by state and the age of what waits longest, in seconds."""

    name: str
    waiting: int = 0
    running: int = 0
    dead: int = 0
    oldest_waiting_s: float | None = None


@dataclass(frozen=True, slots=True)
class WorkPage(Page):
    """The admin's page of work: the queues, and the rows in one state."""

    template: ClassVar[str] = "work.html"
    stages: tuple[StageCount, ...] = ()
    rows: tuple[WorkRow, ...] = ()
    state: Literal["all", "waiting", "running", "dead"] = "all"
    workers: int = field(default=0)
