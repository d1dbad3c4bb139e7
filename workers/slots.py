"""How much of each kind of work one worker does at a time. Pure.

Each kind of stage has places of its own, so encodes never starve the short stages. Beside long runs there is one
place more that only short runs may take, so a clip of two minutes does not wait for one of two hours.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

LONG_S = 120.0
"""A run that is expected to cost more is long: an encode of some five minutes of recording."""


class Slot(StrEnum):
    """What a stage keeps busy."""

    QUICK = "quick"
    SPEECH = "speech"
    ENCODE = "encode"


class Slots:
    """The places of one worker, and how many are taken by short and by long runs."""

    def __init__(self, places: Mapping[Slot, int]) -> None:
        self._places = places
        self._busy: Counter[tuple[Slot, bool]] = Counter()

    def take(self, slot: Slot, cost_s: float) -> None:
        """A run of this expected cost begins."""
        self._busy[slot, cost_s > LONG_S] += 1

    def leave(self, slot: Slot, cost_s: float) -> None:
        """It has ended."""
        self._busy[slot, cost_s > LONG_S] -= 1

    def most_s(self, slot: Slot) -> float | None:
        """The most that a run which begins now may be expected to cost, in seconds; None when none may begin."""
        long, short = self._busy[slot, True], self._busy[slot, False]
        if long + short < self._places[slot]:
            return math.inf
        return LONG_S if long and long + short == self._places[slot] else None
