"""One way to write states: a table from each state to the allowed next ones, and one function that takes the step."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from infra.errors import WrongState

State = TypeVar("State", bound=StrEnum)


def step(table: Mapping[State, frozenset[State]], now: State, to: State, *, what: str) -> State:
    """Return `to`, or raise WrongState naming both states. `what` is the noun for the sentence."""
    if to not in table[now]:
        raise WrongState(
            f"This {what} is {_words(now)} and cannot become {_words(to)}. Nothing was changed.",
            code=f"{what}.wrong_state",
        )
    return to


def _words(state: StrEnum) -> str:
    return str(state).replace("_", " ")  # a state that comes from the database is a plain str
