"""What stands around every page, and the parts that several pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Status = Literal[
    "uploading",
    "processing",
    "waiting",
    "in_review",
    "changes_requested",
    "published",
    "rejected",
    "withdrawn",
    "failed",
]


StageState = Literal["waiting", "running", "done", "failed", "dead", "cancelled"]


Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in."""

    name: str
    email: str
    role: Literal["learner", "expert", "reviewer", "admin"]

    @property
    def initials(self) -> str:
        """Return one or two capital letters for the round badge."""
        words = self.name.split() or [self.email]
        return "".join(word[0] for word in (words if len(words) < 2 else (words[0], words[-1]))).upper()

    @property
    def reviews(self) -> bool:
        """Tell whether the review pages are for this person."""
        return self.role in {"reviewer", "admin"}

    @property
    def administers(self) -> bool:
        """Tell whether people and work are for this person."""
        return self.role == "admin"


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page. `nav` is the area one is in; `waiting_count` the review queue's length."""

    person: Person | None = None
    nav: Literal["", "home", "recordings", "upload", "review", "people", "work"] = ""
    waiting_count: int = 0
    theme: Theme | None = None
    q: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Base of all pages: the template it is rendered by."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SignInPage(Page):
    """`confirm` asks for one click on a fresh link (`action` is posted to); the rest explain."""

    template: ClassVar[str] = "sign_in.html"
    state: Literal["ask", "confirm", "used", "expired", "unknown"] = "ask"
    action: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """An error: what happened and is safe (`sentence`), its stable code, and where to go on."""

    template: ClassVar[str] = "error.html"
    status: int
    code: str
    sentence: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One rendition a browser may play; `width` and `height` in pixels."""

    url: str
    width: int
    height: int
    type: str = "video/mp4"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter; `url` opens the page at its start."""

    start_s: float
    end_s: float
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A spoken sentence; `url` opens the page at its start, `chapter_index` counts from 0."""

    start_s: float
    end_s: float
    text: str
    url: str
    chapter_index: int = 0
