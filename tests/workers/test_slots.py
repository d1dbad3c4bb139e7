"""How many runs a worker takes at a time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from workers.slots import LONG_S, Slot, Slots


def test_a_short_run_may_begin_beside_a_long_one_and_a_second_long_one_may_not() -> None:
    slots = Slots({Slot.ENCODE: 1})
    assert slots.most_s(Slot.ENCODE) == math.inf
    slots.take(Slot.ENCODE, LONG_S + 1)
    assert slots.most_s(Slot.ENCODE) == LONG_S
    slots.take(Slot.ENCODE, LONG_S)
    assert slots.most_s(Slot.ENCODE) is None


def test_short_runs_alone_get_no_further_place() -> None:
    slots = Slots({Slot.ENCODE: 1})
    slots.take(Slot.ENCODE, 1.0)
    assert slots.most_s(Slot.ENCODE) is None


def test_one_kind_of_work_takes_no_place_of_another() -> None:
    slots = Slots({Slot.ENCODE: 1, Slot.SPEECH: 1})
    slots.take(Slot.ENCODE, 1.0)
    assert slots.most_s(Slot.SPEECH) == math.inf


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.floats(0, 10 * LONG_S))))
def test_there_are_never_more_runs_than_places_and_one_and_long_ones_never_fill_the_one(
    places: int, steps: list[tuple[bool, float]]
) -> None:
    slots = Slots({Slot.SPEECH: places})
    running: list[float] = []
    for ends, cost_s in steps:
        most_s = slots.most_s(Slot.SPEECH)
        if ends and running:
            slots.leave(Slot.SPEECH, running.pop(0))
        elif most_s is not None and cost_s <= most_s:
            slots.take(Slot.SPEECH, cost_s)
            running.append(cost_s)
        assert len(running) <= places + 1
        assert sum(cost_s > LONG_S for cost_s in running) <= places
