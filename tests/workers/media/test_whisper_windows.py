"""What Whisper gets to hear: speech without its long silences, in windows that cut no sentence."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.media.windows import padded, windows


def test_long_silences_go_and_short_pauses_stay() -> None:
    assert padded([(1.0, 2.0), (2.5, 4.0), (20.0, 21.0)], 60) == [(0.7, 4.3), (19.7, 21.3)]
    assert padded([(0.1, 9.9)], 10) == [(0.0, 10.0)]


def test_a_clip_without_speech_has_no_window() -> None:
    assert windows([], 60) == []


def test_a_short_clip_is_one_window_without_its_silences() -> None:
    assert windows([(1.0, 12.0), (40.0, 50.0)], 60) == [[(0.7, 12.3), (39.7, 50.3)]]


def test_a_window_ends_in_the_longest_pause_that_costs_no_further_window() -> None:
    speech = [(0.0, 10.0), (10.8, 18.0), (18.2, 27.0), (27.5, 39.0)]
    assert windows(speech, 39.0) == [[(0.0, 10.4)], [(10.4, 39.0)]]
    long = [*speech[:-1], (27.5, 45.0)]
    assert windows(long, 45.0) == [[(0.0, 27.25)], [(27.25, 45.0)]]


def test_speech_without_any_pause_is_cut_all_the_same() -> None:
    assert windows([(0.0, 70.0)], 70.0) == [[(0.0, 29.0)], [(29.0, 58.0)], [(58.0, 70.0)]]


ROUNDED = [
    (0.25, 9.0),
    (1.0, 19.0),
    (2.0, 5.0),
    (2.0583375230431655, 1.7904108839041477),
    (1.0, 1.0),
    (2.0, 24.0),
    (2.0, 3.0),
]


@settings(deadline=None)
@example(ROUNDED)  # a window ended a rounding error after the next stretch had begun
@given(st.lists(st.tuples(st.floats(0.1, 3), st.floats(0.1, 60)), min_size=1, max_size=12))
def test_windows_cover_all_speech_once_and_fit_the_model(drawn: list[tuple[float, float]]) -> None:
    speech, at_s = [], 0.0
    for pause_s, length_s in drawn:
        speech.append((at_s + pause_s, at_s + pause_s + length_s))
        at_s += pause_s + length_s
    parts = windows(speech, at_s + 1)
    assert all(0 < sum(end_s - start_s for start_s, end_s in part) <= 29.0001 for part in parts)
    pieces = [piece for part in parts for piece in part]
    assert all(left[1] <= right[0] + 1e-6 for left, right in pairwise(pieces))
    lengths_s = [sum(end_s - start_s for start_s, end_s in spans) for spans in (pieces, padded(speech, at_s + 1))]
    assert lengths_s[0] == pytest.approx(lengths_s[1], abs=0.001)
