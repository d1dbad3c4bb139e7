"""The error tree. Every error a person can meet has a stable code, a status and a sentence.

    LorecastError
    ├── NotFound          404  it is not there, or not for you
    ├── Unauthenticated   401  nobody is signed in
    ├── Forbidden         403  signed in, but not allowed
    ├── InvalidInput      422  what was sent makes no sense
    ├── WrongState        409  not possible now
    ├── TooLarge          413  more bytes than allowed
    ├── UnsupportedMedia  415  not a kind of file we take
    ├── Unavailable       503  a part of the platform does not answer
    └── Misconfigured     500  a setting or the machine is not as needed
    WorkError
    ├── Transient         try again later, with backoff
    └── Rejected          bad input: fails at once, with a sentence for the expert

The sentence says what happened, what is safe, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class LorecastError(Exception):
    """An error with a stable `code`, an HTTP `status` and a sentence for a person."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"

    def __init__(self, sentence: str, *, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or self.default_code


class NotFound(LorecastError):
    """It is not there, or not for this person; the two look the same from outside."""

    status = 404
    default_code = "not_found"


class Unauthenticated(LorecastError):
    """Nobody is signed in, or the token is not valid."""

    status = 401
    default_code = "unauthenticated"


class Forbidden(LorecastError):
    """Signed in, but not allowed."""

    status = 403
    default_code = "forbidden"


class InvalidInput(LorecastError):
    """What was sent makes no sense."""

    status = 422
    default_code = "invalid_input"


class WrongState(LorecastError):
    """Not possible in the state it is in now."""

    status = 409
    default_code = "wrong_state"


class TooLarge(LorecastError):
    """More bytes than allowed."""

    status = 413
    default_code = "too_large"


class UnsupportedMedia(LorecastError):
    """Not a kind of file Lorecast takes."""

    status = 415
    default_code = "unsupported_media"


class Unavailable(LorecastError):
    """A part of the platform does not answer."""

    status = 503
    default_code = "unavailable"


class Misconfigured(LorecastError):
    """A setting, or the machine, is not as it must be."""

    default_code = "misconfigured"


class WorkError(Exception):
    """An error of a stage. `code` is stable, `sentence` is for the expert, `detail` for the log."""

    def __init__(self, sentence: str, *, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.sentence = sentence
        self.code = code
        self.detail = detail


class Transient(WorkError):
    """Something around the work failed: try again with backoff."""


class Rejected(WorkError):
    """The input itself is bad: trying again cannot help."""
